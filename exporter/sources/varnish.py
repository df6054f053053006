"""Varnish's counters, as ``varnishstat -j`` reads them from shared memory on this machine.

The shared memory outlives a Varnish that was killed or frozen, and varnishstat
goes on printing its last numbers. So an instance whose uptime stands still is
taken for dead.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from socket import gethostname
from typing import Any, Final

from exporter.errors import AccessDenied, SourceTimeout, SourceUnavailable, UnexpectedAnswer
from exporter.sources.members import Members

Counters = Mapping[str, int]

UPTIME: Final = "MAIN.uptime"
_ATTACH_SECONDS: Final = "1"
"""How long varnishstat itself waits for an instance that is not there (its default: 5)."""

WORKING_DIRECTORIES: Final = "/var/lib/varnish"
"""Where an instance's directory is if its name is no path; the default one has the name of the host."""

STANDSTILL_SECONDS: Final = 8.0
"""How long an uptime may stand still. Varnish moves it with the manager's ping, every 3 s by default."""


@dataclass(frozen=True, slots=True)
class VarnishInstance:
    """One varnishd: ``name`` is the label, ``directory`` what follows ``-n`` (empty: the default one)."""

    name: str
    directory: str = ""

    @classmethod
    def of(cls, directory: str) -> VarnishInstance:
        """Return an instance named after the last part of its directory, or ``default``."""
        return cls(PurePath(directory).name or "default", directory)


class Varnishstat:
    """Implements :class:`exporter.core.ports.Varnish` by running varnishstat once per instance.

    The user needs read access to the instance's working directory (on Debian: group ``varnish``).
    """

    def __init__(
        self,
        instances: Sequence[VarnishInstance],
        *,
        program: str = "varnishstat",
        timeout: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``timeout`` in seconds is for all instances together. Equal names become directories."""
        names = [instance.name for instance in instances]
        self._instances = tuple(
            instance
            if names.count(instance.name) == 1
            else VarnishInstance(instance.directory, instance.directory)
            for instance in instances
        )
        self._program = program
        self._timeout = timeout
        self._clock = clock
        self._members = Members("varnish")
        self._moved: dict[str, tuple[int, float]] = {}

    def counters(self) -> Mapping[str, Mapping[str, int] | None]:
        """Return the counters by instance name; see :class:`exporter.core.ports.Varnish`."""
        deadline = time.monotonic() + self._timeout
        running = {instance.name: self._start(instance) for instance in self._instances}
        try:
            return self._members.ask(
                {name: partial(self._finish, name, process, deadline) for name, process in running.items()}
            )
        finally:
            for process in running.values():
                _end(process)

    def _start(self, instance: VarnishInstance) -> subprocess.Popen[str] | OSError:
        name = ("-n", instance.directory) if instance.directory else ()
        try:
            return subprocess.Popen(  # noqa: S603 - program and instance come from the settings
                (self._program, "-j", "-t", _ATTACH_SECONDS, *name),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            return error

    def _finish(self, name: str, process: subprocess.Popen[str] | OSError, deadline: float) -> Counters:
        if isinstance(process, PermissionError):
            raise AccessDenied(f"{self._program} may not be run")
        if isinstance(process, FileNotFoundError | NotADirectoryError):
            raise AccessDenied(f"{self._program} cannot be run: is Varnish installed here?")
        if isinstance(process, OSError):  # no descriptor or no memory is left
            raise SourceUnavailable(f"{self._program} cannot be run: {process.strerror}")
        try:
            output, complaint = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise SourceTimeout(f"varnishstat did not finish within {self._timeout:g} s") from None
        if process.returncode != 0 and hidden(self._directory(name)):
            raise AccessDenied("varnishstat may not read the counters: the user is not in Varnish's group")
        if process.returncode != 0:
            raise SourceUnavailable(f"varnishstat: {_last_line(complaint) or 'failed without a word'}")
        counters = parse(output)
        if UPTIME not in counters:
            raise SourceUnavailable("varnishd's worker process is not running")
        self._check_moving(name, counters[UPTIME])
        return counters

    def _directory(self, name: str) -> str:
        return next(instance.directory for instance in self._instances if instance.name == name)

    def _check_moving(self, name: str, uptime: int) -> None:
        now = self._clock()
        known, since = self._moved.get(name, (-1, now))
        if uptime != known:
            self._moved[name] = (uptime, now)
        elif now - since > STANDSTILL_SECONDS:
            raise SourceUnavailable("varnishd is frozen or was killed: its uptime stands still")


def hidden(directory: str) -> bool:
    """Return whether the instance's shared memory is there and not ours to read.

    varnishstat says the same ("Could not get hold of varnishd") of a Varnish that does not run.
    """
    place = Path(WORKING_DIRECTORIES, directory or gethostname())
    return any(_refused(place / process / "_.index") for process in ("_.vsm_mgt", "_.vsm_child"))


def _refused(file: Path) -> bool:
    try:
        with file.open("rb"):
            return False
    except PermissionError:
        return True
    except OSError:
        return False


def parse(output: str) -> Counters:
    """Return the counters in ``varnishstat -j``: below ``counters`` since Varnish 6.5, at the top before."""
    try:
        document: Any = json.loads(output)
        counters = document.get("counters", document)
        return {
            str(name): int(entry["value"])
            for name, entry in counters.items()
            if isinstance(entry, dict) and "value" in entry
        }
    except (ValueError, TypeError, AttributeError):
        raise UnexpectedAnswer("varnishstat printed something that is not its JSON") from None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _end(process: subprocess.Popen[str] | OSError) -> None:
    """Leave no child behind, whatever happened."""
    if isinstance(process, subprocess.Popen):
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
