"""The interface all sandbox servers share."""

import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from sandbox.errors import ServerError
from sandbox.process import START_SECONDS, STOP_SECONDS, Process


def program(*candidates: str) -> str:
    """Return the full path of the first program found; Debian keeps some outside a user's PATH."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    for candidate in candidates:
        found = shutil.which(candidate) or shutil.which(candidate, path=path)
        if found:
            return found
    raise ServerError(f"{candidates[0]} is not installed; run `python -m sandbox packages` as root")


class Server(ABC):
    """A real server in a private directory, on loopback, on a port that it keeps for its life.

    As a context manager it is ready inside the block and gone after it. `launch` and `wait_ready`
    are the two halves of `start`, so that several servers can come up side by side.
    """

    name: str = "server"
    start_seconds: float = START_SECONDS
    stop_seconds: float = STOP_SECONDS
    tether = signal.SIGKILL

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self._process: Process | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration into the directory; called before every launch."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the program and its arguments; it must stay in the foreground."""

    @abstractmethod
    def ready(self) -> bool:
        """Tell, without raising, whether the server answers."""

    def environment(self) -> Mapping[str, str]:
        """Return what to add to the environment."""
        return {}

    @property
    def log(self) -> Path:
        """The file with the server's own words."""
        return self.directory / f"{self.name}.log"

    @property
    def process(self) -> Process:
        """The server's process; an error before the first launch."""
        if self._process is None:
            raise ServerError(f"{self.name} is not started")
        return self._process

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there (paused counts as running)."""
        return self._process is not None and self._process.running

    def launch(self) -> None:
        """Start the process without waiting until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self._process = Process(
            self.name,
            self.command(),
            log=self.log,
            cwd=self.directory,
            environment=self.environment(),
            tether=self.tether,
        )
        self._process.start()

    def wait_ready(self) -> None:
        """Wait until the server answers."""
        self.process.wait_ready(self.ready, seconds=self.start_seconds)

    def start(self) -> None:
        """Start and wait until the server answers."""
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """End it in good order; its directory stays. Harmless when it is not running."""
        if self._process is not None:
            self._process.stop(seconds=self.stop_seconds)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections are accepted by the kernel and nobody answers."""
        self.process.pause()

    def resume(self) -> None:
        """Let a paused server go on."""
        self.process.resume()

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self.process.kill()

    def restart(self) -> None:
        """Stop if running, then start on the same port with the same directory."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
