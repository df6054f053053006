"""The programs that the set-up starts, and the one question that it asks the exporter itself."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from exporter.errors import UsageError

_LONGEST: Final = 300.0
_STARTING_SECONDS: Final = 30.0
_SYSTEMD: Final = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended."""

    code: int
    output: str
    error: str

    def reason(self) -> str:
        """Return the first line about its failure. Clients of databases print the statement before it."""
        said = (self.error or self.output).strip().splitlines()
        first = said[0] if said else f"exit code {self.code}"
        return next((line for line in said if line.startswith("ERROR")), first)


@dataclass(frozen=True, slots=True)
class Identity:
    """The user that will serve, with the groups that it needs."""

    name: str
    groups: tuple[str, ...] = ()

    def exists(self) -> bool:
        """Return whether the system knows the user."""
        try:
            pwd.getpwnam(self.name)
        except KeyError:
            return False
        return True

    def group(self) -> int:
        """Return the id of the user's own group."""
        return pwd.getpwnam(self.name).pw_gid


def run(command: Sequence[str], *, given: str = "", identity: Identity | None = None, cwd: str = "/") -> Done:
    """Run a program to its end, as another user if one is named.

    Raises :exc:`UsageError` if it cannot start.
    """
    known = pwd.getpwnam(identity.name) if identity else None
    groups = [grp.getgrnam(name).gr_gid for name in identity.groups] if identity else None
    try:
        done = subprocess.run(  # noqa: S603 - the program is named by whoever sets up
            list(command),
            input=given,
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
            cwd=cwd,
            env=_environment(),
            user=known.pw_uid if known else None,
            group=known.pw_gid if known else None,
            extra_groups=groups,
        )
    except FileNotFoundError:
        raise UsageError(f"{command[0]} is not installed") from None
    except PermissionError:
        raise UsageError(f"{command[0]}: {known.pw_name if known else 'this user'} may not run it") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"{command[0]} did not end within {_LONGEST:.0f} seconds") from None
    return Done(done.returncode, done.stdout, done.stderr)


def must(command: Sequence[str], *, given: str = "") -> Done:
    """Run a program that has to succeed; raises :exc:`UsageError` with its first words if it does not."""
    done = run(command, given=given)
    if done.code:
        raise UsageError(f"{command[0]}: {done.reason()}")
    return done


def has_systemd() -> bool:
    """Return whether systemd runs this machine."""
    return _SYSTEMD.is_dir()


def serves(address: str) -> bool:
    """Return whether the exporter says within half a minute that it is up."""
    end = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{address}/-/healthy", timeout=5).status_code in {200, 401}:
                return True
        except httpx.TransportError:
            time.sleep(0.5)
    return False


def _environment() -> Mapping[str, str]:
    """Return what a service has: nothing of whoever sets up."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
