"""Servers of other suites: what can be checked without downloading one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sandbox import suites
from sandbox.servers.mysql import in_mysql


def test_the_mirror_is_the_one_that_apt_uses() -> None:
    assert suites.mirror().startswith(("http://", "https://", "mirror+"))


@pytest.mark.parametrize(
    ("listing", "complaint"), [("", "no mirror"), ("Google cloud http://other.example/\n", "no mirror")]
)
def test_a_machine_without_a_mirror_of_debian(
    listing: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, listing)

    monkeypatch.setattr("subprocess.run", answer)
    with pytest.raises(suites.LeftOut, match=complaint):
        suites.mirror()


def test_a_program_that_no_package_has_is_left_out(tmp_path: Path) -> None:
    with pytest.raises(suites.LeftOut, match="/usr/sbin/absent is in none"):
        suites.wrappers(tmp_path, tmp_path / "bin", {"absent": "/usr/sbin/absent"})


# The kernel gives a mount namespace to root alone. CI runs as root.
@pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")
def test_a_command_sees_the_tree_as_usr_and_nothing_else_changed(tmp_path: Path) -> None:
    """The program is a static one, so that the tree needs no libraries: the system's own ldconfig."""
    root, kept = tmp_path / "root", tmp_path / "kept"
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/bin").mkdir()
    for folder in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / folder).mkdir(exist_ok=True)
    program = root / "usr/sbin/program"
    program.write_bytes(Path("/sbin/ldconfig").read_bytes())
    program.chmod(0o755)
    commands = suites.wrappers(root, tmp_path / "bin", {"program": "/usr/sbin/program"})
    kept.write_text("seen")
    said = subprocess.run([commands / "program", "--version"], capture_output=True, text=True, check=False)
    assert said.stdout.startswith("ldconfig"), said.stderr
    assert not Path("/usr/sbin/program").exists()
    assert kept.read_text() == "seen"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1", "SELECT 1"),
        ("SELECT seq FROM `seq_3_to_9`", "UNION ALL SELECT seq + 1 FROM counted WHERE seq < 9"),
        ("SET PASSWORD FOR a@'%' = PASSWORD('b')", "ALTER USER a@'%' IDENTIFIED BY 'b'"),
    ],
)
def test_what_mysql_says_otherwise(statement: str, expected: str) -> None:
    assert expected in in_mysql(statement)
