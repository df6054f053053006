"""A root directory of its own: a layer over this machine's files takes every change and is thrown away."""

from __future__ import annotations

import filecmp
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.harness.limits import LONG
from tests.system.install.conftest import PROJECT, plain_environment

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
        path = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
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


@contextmanager
def root(base: Path, *shared: Path) -> Iterator[Root]:
    """Lay the layer into ``base``; ``shared`` directories are the machine's own, with the sockets in them."""
    script = (
        'mkdir -p "$0" && mount -t tmpfs layer "$0" && cd "$0" && mkdir above work merged &&'
        " mount -t overlay root -o lowerdir=/,upperdir=$0/above,workdir=$0/work merged &&"
        ' for place in /proc /dev "$@"; do mount --rbind "$place" "merged$place"; done &&'
        " echo ready && exec sleep 1800"
    )
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, base, *shared], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n", "no layer can be laid over this machine's files"
        above = Path(f"/proc/{process.pid}/root") / str(base).lstrip("/") / "above"
        yield Root(process.pid, base / "merged", above)
    finally:
        process.kill()
        process.wait(LONG)
        process.stdout.close()
