"""The Ansible role on this machine, above whose files a layer takes every change and is then thrown away.

So the root is clean, the machine is not changed, and what an uninstallation leaves is what the layer holds.
"""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.process import free_port
from tests.harness.limits import LONG
from tests.system.install.conftest import PROJECT, SECRET, RealShop, plain_environment

pytestmark = pytest.mark.slow

ANSIBLE = PROJECT / "build" / "ansible" / "bin"
USER = "magento-exporter"
PLACES = (
    "etc/magento-exporter",
    "opt/magento-exporter",
    "var/lib/magento-exporter",
    "etc/systemd/system/magento-exporter.service",
    "etc/systemd/system/magento-exporter.service.d",
)
OTHERS = re.compile(
    r"(proc|dev|tmp|run|root/\.ansible|root/\.cache|var/(log|cache|lib/apt|lib/dpkg))(/|$)|.*\.pyc$|.*/__pycache__$"
)
"""What Ansible and other programs write, and what this very test is."""
USERS = re.compile(r"etc/(passwd|group|shadow|gshadow|subuid|subgid)-?")


@dataclass(frozen=True)
class Root:
    """A root directory of its own, in a process's mounts; ``layer`` has what differs from the machine's."""

    pid: int
    merged: Path
    layer: Path

    @property
    def tree(self) -> Path:
        """Where the root directory is for who looks from outside."""
        return Path(f"/proc/{self.pid}/root") / str(self.merged).lstrip("/")

    def run(self, *command: str | Path, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
        enter = ("nsenter", f"--target={self.pid}", "--mount", "chroot", self.merged)
        path = f"{ANSIBLE}:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = plain_environment() | {"PATH": path, "HOME": "/root", "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(
            [*enter, "env", f"--chdir={cwd}", *command],
            env=environment, capture_output=True, text=True, timeout=LONG, check=False,
        )  # fmt: skip

    def left(self) -> list[str]:
        """Return what the layer holds that the machine has not, or has otherwise."""
        found = []
        for folder, _, files in os.walk(self.layer):
            for name in (".", *files):
                inside = os.path.normpath(Path(folder, name).relative_to(self.layer))
                here, there = self.layer / inside, Path("/") / inside
                same = (
                    there.is_dir() if here.is_dir() else there.is_file() and filecmp.cmp(here, there, False)
                )
                if not same and not OTHERS.match(inside) and not re.fullmatch(USERS, inside):
                    found.append(inside)
        return found


@pytest.fixture
def root(public: Path, real: RealShop) -> Iterator[Root]:
    base, servers = public / "root", real.database.socket.parent
    script = (
        'mkdir -p "$0" && mount -t tmpfs layer "$0" && cd "$0" && mkdir above work merged &&'
        " mount -t overlay root -o lowerdir=/,upperdir=$0/above,workdir=$0/work merged &&"
        ' for place in /proc /dev "$1"; do mount --rbind "$place" "merged$place"; done &&'
        " echo ready && exec sleep 900"
    )
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, base, servers], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "no layer can be laid over this machine's files"
        inside = Path(f"/proc/{process.pid}/root") / str(base).lstrip("/")
        yield Root(process.pid, base / "merged", inside / "above")
    finally:
        process.kill()
        process.wait(LONG)


@dataclass(frozen=True)
class Play:
    root: Root
    variables: dict[str, Any]

    def __call__(self, *more: str, **variables: object) -> int:
        """Run the playbook as it is shipped, and return how many tasks changed something."""
        done = self.root.run(
            *("ansible-playbook", "-i", "shops,", "deploy/ansible/site.yml", "--connection=local"),
            *("--extra-vars", json.dumps(self.variables | variables), *more),
        )
        counts = re.search(r"changed=(\d+) .*failed=(\d+)", done.stdout)
        assert counts, done.stdout + done.stderr
        assert counts[2] == "0", done.stdout
        return int(counts[1])


@pytest.fixture
def play(root: Root, real: RealShop, wheel: Path) -> Play:
    real.set_password(SECRET)
    real.run_cron()
    env_php = root.tree / "srv/shop/app/etc/env.php"
    env_php.parent.mkdir(parents=True)
    env_php.write_text(real.env_php("magento-2.4.8-edited"))
    shutil.chown(env_php, group="www-data")
    env_php.chmod(0o640)
    carried = root.tree / "srv/dist"
    shutil.copytree(wheel.parent, carried)
    prefix = "magento_exporter_"
    return Play(
        root,
        {
            "ansible_become": False,
            "ansible_python_interpreter": "/usr/bin/python3",
            f"{prefix}wheel": f"/srv/dist/{wheel.name}",
            f"{prefix}constraints": "/srv/dist/constraints.txt",
            f"{prefix}magento_root": "/srv/shop",
            f"{prefix}groups": ["www-data"],
            f"{prefix}listen": f"127.0.0.1:{free_port()}",
            f"{prefix}apply_grants": True,
            f"{prefix}admin_command": f"mariadb --socket={real.database.socket} --user=root",
            # The sandbox's management API has a port of its own; everything else stands in env.php.
            f"{prefix}settings": {"rabbitmq": {"url": real.broker.management_url}},
        },
    )


def test_installed_again_and_taken_away(play: Play, real: RealShop) -> None:
    if not ANSIBLE.is_dir():
        pytest.skip("scripts/check_ansible.sh installs Ansible and runs this")
    root = play.root
    before = root.left()
    assert play("--check") > 0
    assert root.left() == before, "check mode has changed something"
    assert play() > 0
    assert play() == 0, "the second run has changed something"
    assert play("--check") == 0

    # What it made serves, as the user without rights.
    identity = root.run("id", USER).stdout
    assert "www-data" in identity
    serving = root.run(
        *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--groups=www-data", "--no-new-privs"),
        "/opt/magento-exporter/venv/bin/magento-exporter",
        *("doctor", "--config=/etc/magento-exporter/exporter.yml", "--patience=0"),
    )
    assert serving.returncode == 0, serving.stdout + serving.stderr
    assert "what the collectors read, and nothing more" in serving.stdout
    verified = root.run("systemd-analyze", "verify", "/etc/systemd/system/magento-exporter.service")
    if shutil.which("systemd-analyze"):
        assert verified.stderr == ""
    assert all((root.tree / place).exists() for place in PLACES)
    assert (root.tree / PLACES[0] / "password").stat().st_mode & 0o007 == 0

    assert play(magento_exporter_state="absent") > 0
    assert play(magento_exporter_state="absent") == 0
    assert root.left() == before
    assert root.run("id", USER).returncode != 0
    assert real.database.execute("SELECT User FROM mysql.user WHERE User = 'magento_exporter'") == ()
