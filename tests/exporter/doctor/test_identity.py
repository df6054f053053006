"""The doctor looks as the user that will serve: root may read what that one may not."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.harness.limits import LONG

NOBODY = pwd.getpwuid(65534).pw_name
# The kernel lets root alone become another user. CI runs as root.
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="left out: only root can become another user")


@pytest.fixture
def password() -> Iterator[Path]:
    """A password file of root's in a directory that everybody may enter."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        file = Path(name) / "password"
        file.write_text("secret")
        file.chmod(0o600)
        yield file


def doctor(*more: str) -> subprocess.CompletedProcess[str]:
    closed = ["--set", "database.host=127.0.0.1", "--set", "database.port=1"]
    return subprocess.run(
        [sys.executable, "-m", "exporter", "doctor", "--json", "--patience", "0", *closed, *more],
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )


def findings(*more: str) -> dict[str, dict[str, str]]:
    result = doctor(*more)
    assert "Traceback" not in result.stderr
    return {found["check"]: found for found in json.loads(result.stdout)["findings"]}


@ROOT_ONLY
def test_what_that_user_may_not_read_is_found(password: Path) -> None:
    settings = ("--set", f"database.password_file={password}")
    assert str(password) not in findings(*settings)["database"]["seen"]
    found = findings(*settings, "--as-user", NOBODY)
    assert found["database"]["seen"] == f"127.0.0.1:1: {password}: Permission denied"
    assert found["judged as"]["seen"] == NOBODY


@ROOT_ONLY
def test_a_group_more_opens_what_it_opens_to_the_unit(password: Path) -> None:
    os.chown(password, 0, 0)
    password.chmod(0o640)
    settings = ("--set", f"database.password_file={password}", "--as-user", NOBODY)
    assert "Permission denied" in findings(*settings)["database"]["seen"]
    assert "Permission denied" not in findings(*settings, "--as-group", "root")["database"]["seen"]


@ROOT_ONLY
def test_a_report_as_root_says_so() -> None:
    assert findings()["judged as"]["fix"].startswith(
        "if another user serves: magento-exporter doctor --as-user"
    )


@ROOT_ONLY
@pytest.mark.parametrize(
    "more", [("--as-user", "nobody-of-that-name"), ("--as-user", NOBODY, "--as-group", "no-group")]
)
def test_who_does_not_exist_is_one_line(more: tuple[str, ...]) -> None:
    result = doctor(*more)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
