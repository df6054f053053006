"""Servers of other Debian suites, unpacked into the cache: neither installed nor able to change the system.

A private apt root resolves and downloads a server with its libraries down to libc. The packages are only
unpacked. A wrapper starts each program in a mount namespace of its own in which that tree is `/usr`, so
that every other path, the network and the process id are those of the system.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from sandbox.errors import SandboxError
from sandbox.packages import run_apt
from sandbox.paths import CACHE

ROOTS: Final = CACHE / "suites"
SHELL: Final = (
    "bash",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "hostname",
    "mawk",
    "procps",
    "sed",
    "util-linux",
)
"""What start scripts use. Every Debian has them, so no package says that it needs them."""

KEYS: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
MERGED: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Folders that are links into `usr` on every system of today; packages of older suites still name them."""

ENTER: Final = 'mount --bind "$0" /usr && exec "$@"'

FOLDERS: Final = (
    *(f"etc/apt/{name}" for name in ("apt.conf.d", "preferences.d", "trusted.gpg.d", "sources.list.d")),
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/lib/dpkg",
)
"""What apt wants to find."""

VERSIONS: Final = "versions"
"""File of a tree with the version of each of its packages."""

RABBITMQ: Final = "/usr/lib/rabbitmq/bin"


class LeftOut(SandboxError):  # noqa: N818 - what happens to the version, and no fault of the sandbox
    """The packages cannot be had here."""


def mirror() -> str:
    """Return where this machine's apt gets Debian from."""
    wanted = [
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN) $(CODENAME) $(REPO_URI)",
        "Identifier: Packages",
    ]
    try:
        listing = subprocess.run(wanted, capture_output=True, text=True, check=False, timeout=60).stdout
    except FileNotFoundError as error:
        raise LeftOut("this machine has no apt-get") from error
    found = [line.split() for line in sorted(listing.splitlines())]
    for origin, codename, uri in (words for words in found if len(words) == 3):  # noqa: PLR2004 - as asked
        if origin == "Debian" and "-" not in codename:
            return uri
    raise LeftOut("apt-get knows no mirror of Debian; run `apt-get update` once")


def unpack(suite: str, package: str) -> Path:
    """Return a tree with the package and all that it needs; made once and kept in the cache."""
    if os.geteuid() != 0:
        raise LeftOut("servers of other suites need root, for a mount namespace")
    finished = ROOTS / f"{suite}-{package}"
    if not finished.exists():
        ROOTS.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=f"{suite}-", suffix=".incomplete", dir=ROOTS))
        try:
            _unpack_into(half, _download(half / "apt", suite, package))
            shutil.rmtree(half / "apt")
            half.rename(finished)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
    return finished


def _download(apt: Path, suite: str, package: str) -> list[Path]:
    """Download a package and what it needs as if nothing were installed."""
    for folder in FOLDERS:
        (apt / folder).mkdir(parents=True)
    (apt / "var/lib/dpkg/status").touch()
    (apt / "etc/apt/sources.list.d/suite.sources").write_text(
        f"Types: deb\nURIs: {mirror()}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYS}\n"
    )
    options = [f"Dir={apt}", f"Dir::State::status={apt / 'var/lib/dpkg/status'}", "APT::Sandbox::User=root",
               "Acquire::Languages=none", "Acquire::Check-Valid-Until=false"]  # fmt: skip
    common = ["apt-get", *(word for option in options for word in ("-o", option))]
    download = ["install", "--yes", "--no-install-recommends", "--download-only", package, *SHELL]
    for command in (["update", "--error-on=any"], download):
        outcome = run_apt([*common, *command])
        if outcome.returncode:
            raise LeftOut(f"{suite}: apt-get {command[0]} fails: {_complaint(outcome.stdout)}")
    return sorted((apt / "var/cache/apt/archives").glob("*.deb"))


def _complaint(output: str) -> str:
    lines = [line for line in output.splitlines() if line.startswith("E:")]
    return lines[-1] if lines else "without a word"


def _unpack_into(root: Path, archives: Sequence[Path]) -> None:
    (root / "usr").mkdir()
    for folder in MERGED:
        (root / "usr" / folder).mkdir()
        (root / folder).symlink_to(f"usr/{folder}")
    for archive in archives:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as content:
            tar = [
                "tar",
                "--extract",
                "--keep-directory-symlink",
                "--no-same-owner",
                "--directory",
                str(root),
            ]
            subprocess.run(tar, stdin=content.stdout, check=True, timeout=300)
        if content.returncode:
            raise LeftOut(f"{archive.name} cannot be unpacked")
    shell = root / "usr/bin/sh"
    if not shell.exists():  # older suites make it in a script of dash's
        shell.symlink_to("dash")
    named = (archive.stem.split("_") for archive in archives)  # package_version_architecture
    versions = (f"{package} {unquote(version)}\n" for package, version, _ in named)
    (root / VERSIONS).write_text("".join(versions))


def wrappers(root: Path, directory: Path, programs: Mapping[str, str]) -> Path:
    """Write a command for each name, put first into the PATH: it runs that path below the tree's `/usr`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, path in programs.items():
        if not (root / path.lstrip("/")).exists():
            raise LeftOut(f"{path} is in none of the packages")
        command = directory / name
        command.write_text(
            "#!/bin/sh\n"
            "export LC_ALL=C\n"  # the locales of the system are in its own /usr
            f"exec unshare --mount sh -c '{ENTER}' '{root}/usr' '{path}' \"$@\"\n"
        )
        command.chmod(0o755)
    return directory


def version_of(root: Path, package: str) -> str:
    """Return the version of an unpacked package."""
    return dict(line.split() for line in (root / VERSIONS).read_text().splitlines())[package]
