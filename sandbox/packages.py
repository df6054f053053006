"""The Debian packages of the sandbox's servers, installed without starting a single system service."""

import fcntl
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sandbox.errors import SandboxError

PACKAGES = (
    "mariadb-server",
    "nginx-light",
    "php-fpm",
    "prometheus",
    "prometheus-alertmanager",
    "prometheus-blackbox-exporter",
    "prometheus-elasticsearch-exporter",
    "prometheus-mysqld-exporter",
    "prometheus-nginx-exporter",
    "prometheus-node-exporter",
    "prometheus-redis-exporter",
    "prometheus-varnish-exporter",
    "rabbitmq-server",
    "redis-server",
    "varnish",
)

BROWSER = ("chromium",)
"""Only the tests of the pages look at them with a browser, so only they install it."""

POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked by every Debian maintainer script before it starts or restarts a service; 101 forbids it."""

FORBID = (
    "#!/bin/sh\n# Put here by the sandbox while it installs packages; removed again right after.\nexit 101\n"
)
DPKG = Path("/var/lib/dpkg")
INSTALL_SECONDS = 1800


def missing(packages: Sequence[str] = PACKAGES) -> list[str]:
    """Return those of the packages that are not installed, in their order."""
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages]
    try:
        listing = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60).stdout
    except FileNotFoundError as error:
        raise SandboxError(
            "the sandbox's servers are Debian packages, and this machine has no dpkg"
        ) from error
    installed = {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in installed]


def install(packages: Sequence[str] = PACKAGES) -> list[str]:
    """Install what is missing and return it; no service is started, stopped or restarted by it."""
    wanted = missing(packages)
    if not wanted:
        return []
    if os.geteuid() != 0:
        raise SandboxError(f"run once as root: apt-get install --no-install-recommends {' '.join(wanted)}")
    with one_installer_at_a_time(), services_left_alone():
        wanted = missing(packages)
        if wanted:
            fetch_and_unpack(wanted)
    return wanted


def fetch_and_unpack(wanted: list[str]) -> None:
    """Let apt-get install `wanted`; refresh its lists first only if it cannot resolve them as they are."""
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *wanted]
    if run_apt([*command, "--simulate"]).returncode:
        run_apt(["apt-get", "update"])
    outcome = run_apt(command, Progress())
    if outcome.returncode and "404" in outcome.stdout:
        run_apt(["apt-get", "update"])
        outcome = run_apt(command, Progress())
    if outcome.returncode:
        last = "\n".join(outcome.stdout.splitlines()[-20:])
        raise SandboxError(f"apt-get could not install {' '.join(wanted)}:\n{last}")


def _print_now(text: str) -> None:
    print(text, flush=True)


class Progress:
    """Turns what apt-get prints while it installs into some fifteen short lines."""

    STEPS: Final = {"Get:": "downloaded", "Unpacking ": "unpacked", "Setting up ": "set up"}
    LINES: Final = 5
    """How many lines each step gets."""

    def __init__(self, say: Callable[[str], None] = _print_now) -> None:
        self.say = say
        self.total = 0
        self.done = dict.fromkeys(self.STEPS, 0)

    def read(self, line: str) -> None:
        """Take one line of apt-get's."""
        if found := re.match(r"(\d+) upgraded, (\d+) newly installed", line):
            self.total = int(found[1]) + int(found[2])
        elif line.startswith("Need to get "):
            self.say(f"  {self.total} packages with what they depend on. {line.strip()}")
        for start, word in self.STEPS.items():
            if line.startswith(start):
                self._count(start, word)

    def _count(self, start: str, word: str) -> None:
        before = self.done[start]
        self.done[start] += 1
        if self.total and before * self.LINES // self.total < self.done[start] * self.LINES // self.total:
            self.say(f"  {word} {self.done[start]} of {self.total}")


def run_apt(command: list[str], progress: Progress | None = None) -> subprocess.CompletedProcess[str]:
    """Run one apt-get command without questions; its output and errors come back as one text."""
    environment = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "NEEDRESTART_SUSPEND": "1",
        "LC_ALL": "C.UTF-8",
    }
    options = ["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]
    lines = []
    with subprocess.Popen(
        [*command, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        limit = threading.Timer(INSTALL_SECONDS, process.kill)
        limit.start()
        try:
            for line in process.stdout or ():
                lines.append(line)
                if progress is not None:
                    progress.read(line)
        finally:
            limit.cancel()
    return subprocess.CompletedProcess(command, process.returncode, "".join(lines))


@contextmanager
def one_installer_at_a_time() -> Iterator[None]:
    """Hold a lock that leaves no file behind: two installers would restore each other's policy."""
    descriptor = os.open(DPKG, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def services_left_alone() -> Iterator[None]:
    """Forbid service actions for the duration; the machine's own policy, if any, is put back after."""
    saved = POLICY.with_name("policy-rc.d.before-sandbox")
    if POLICY.exists() and not saved.exists() and POLICY.read_text() != FORBID:
        shutil.copy2(POLICY, saved)
    forbid = POLICY.with_name("policy-rc.d.sandbox")
    forbid.write_text(FORBID)
    forbid.chmod(0o755)
    forbid.replace(POLICY)
    try:
        yield
    finally:
        if saved.exists():
            saved.replace(POLICY)
        else:
            POLICY.unlink(missing_ok=True)
