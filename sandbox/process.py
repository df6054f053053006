"""One server process: started in its own session, waited for, paused, killed, and gone without a trace."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import Self

from sandbox.errors import ServerError

LOOPBACK = "127.0.0.1"
START_SECONDS = 90.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02
PORT_DRAWS = 1000

_handed_out: set[int] = set()


def free_port() -> int:
    """Return a loopback port that nobody listens on and that this process has not handed out before.

    Ports lie below the kernel's ephemeral range: inside it, a client that keeps dialling a stopped
    server can be given the very port it dials, connect to itself, and keep the server from coming back.
    """
    lowest_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    candidates = range(max(1024, lowest_ephemeral - 12000), lowest_ephemeral) or range(1024, 65536)
    draw = SystemRandom()
    for port in (draw.choice(candidates) for _ in range(PORT_DRAWS)):
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port
    raise ServerError(f"no free port on {LOOPBACK} between {candidates.start} and {candidates.stop}")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def accepts(port: int) -> bool:
    """Tell whether something accepts connections on the loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def listens(path: Path) -> bool:
    """Tell whether something accepts connections on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll `condition` until it holds; raise `ServerError` naming `what` when `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServerError(f"waited {seconds:g} s without success: {what}")
        time.sleep(POLL_SECONDS)


class Process:
    """A program that runs until it is stopped, as the leader of its own session.

    Start it from a thread that lives as long as it should: the kernel ends it with that thread, so
    that nothing is left behind even when the parent is killed outright. `tether` is the signal for it:
    only SIGKILL ends a paused process, but one that has workers needs SIGTERM to take them along.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        tether: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self.cwd = cwd
        self.environment = environment
        self.tether = tether
        self._popen: subprocess.Popen[bytes] | None = None
        self._doomed: set[int] = set()

    @property
    def pid(self) -> int:
        """The leader's process id, also that of its session and group; an error when not started."""
        if self._popen is None:
            raise ServerError(f"{self.name} is not started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether the leader is there (paused counts as running)."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Launch without waiting for anything; the log is appended to."""
        if self.running:
            raise ServerError(f"{self.name} is already running as process {self.pid}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            try:
                self._popen = subprocess.Popen(
                    [*self._tied_to_us(), *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.cwd,
                    env=None if self.environment is None else {**os.environ, **self.environment},
                    start_new_session=True,
                )
            except OSError as error:
                raise ServerError(f"{self.name}: cannot be started: {error.strerror}") from error

    def wait_ready(self, ready: Callable[[], bool], *, seconds: float = START_SECONDS) -> None:
        """Poll until `ready`; an early end or `seconds` without success raises with the log's last lines."""
        try:
            wait_until(lambda: not self.running or ready(), seconds=seconds, what="it is not ready")
        except ServerError as error:
            self.kill()
            raise ServerError(f"{self.name}: {error}\n{self.last_log_lines()}") from error
        if not self.running:
            raise ServerError(f"{self.name} ended with {self.exit_status()}\n{self.last_log_lines()}")

    def exit_status(self) -> int | None:
        """Return the exit code, negative for a signal; None while running or never started."""
        return None if self._popen is None else self._popen.poll()

    def last_log_lines(self, lines: int = 20) -> str:
        """Return the end of what the server said."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Ask the leader to end (SIGTERM), then end what is left; wait until all of it is gone."""
        if self.running:
            self._doomed.update(self.members())
            self.resume()
            os.kill(self.pid, signal.SIGTERM)
            try:
                wait_until(lambda: not self.running, seconds=seconds, what="it did not end")
            except ServerError:
                with self.log.open("a") as log:
                    log.write("sandbox: no end after SIGTERM, killing it\n")
        self.kill()

    def kill(self) -> None:
        """End everything it consists of at once (SIGKILL) and wait until it is gone."""
        if self._popen is None:
            return
        self._doomed.update(self.members())
        self._signal(signal.SIGKILL)
        self._popen.wait()
        wait_until(self._all_gone, seconds=STOP_SECONDS, what=f"{self.name} survives SIGKILL")
        self._doomed.clear()

    def pause(self) -> None:
        """Freeze all of it (SIGSTOP): its sockets stay open and nobody answers."""
        self._signal(signal.SIGSTOP)
        wait_until(self._is_frozen, seconds=STOP_SECONDS, what=f"{self.name} does not freeze")

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def members(self) -> list[int]:
        """Return the ids of all its living processes, the leader first."""
        return [] if self._popen is None else list(_family(self.pid))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _tied_to_us(self) -> list[str]:
        """Return the words (util-linux) that tie a child's life to ours and then become the child."""
        return ["setpriv", "--pdeathsig", self.tether.name.removeprefix("SIG"), "--"]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.members():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _all_gone(self) -> bool:
        self._signal(signal.SIGKILL)
        self._doomed &= _processes().keys()
        return not self._doomed and not self.members()

    def _is_frozen(self) -> bool:
        return all(state in "Tt" for state in _family(self.pid).values())


def _family(leader: int) -> dict[int, str]:
    """Return the state of every living process in the session of `leader` or descended from it, by id.

    Descent matters: Erlang puts its helpers into sessions of their own.
    """
    family: dict[int, str] = {}
    for pid, (state, parent, session) in sorted(_processes().items()):
        if leader in (session, pid) or parent in family:
            family[pid] = state
    return family


def _processes() -> dict[int, tuple[str, int, int]]:
    """Return (state, parent, session) of every living process of the machine, by id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, _, session = stat.rpartition(")")[2].split()[:4]
        if state != "Z":
            found[int(entry.name)] = (state, int(parent), int(session))
    return found
