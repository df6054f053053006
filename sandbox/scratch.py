"""A small disk of its own, in memory, that faults can fill without harm to the machine."""

import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from sandbox.errors import SandboxError

SIZE: Final = 64 * 1024 * 1024
IN_USE: Final = SIZE // 2
STEP: Final = SIZE // 320
"""What is written in a second while it fills: half of the disk lasts for more than two minutes."""


class SmallDisk:
    """A file system in `directory`, half full, with a file that faults let grow."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._growing = threading.Event()
        self._file = directory / "grows"

    def launch(self) -> None:
        """Mount it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "sandbox", self.directory)
        (self.directory / "in-use").write_bytes(os.urandom(1024) * (IN_USE // 1024))

    def wait_ready(self) -> None:
        """Nothing: it is there at once."""

    def stop(self) -> None:
        """Unmount it; harmless when it is not mounted."""
        self.clear()
        while self.directory.is_mount():
            _run("umount", "--lazy", self.directory)

    def fill(self) -> None:
        """Use it up to the last byte."""
        with suppress(OSError), self._file.open("ab", buffering=0) as file:
            while file.write(bytes(STEP)):
                pass

    def grow(self) -> None:
        """Let a file grow until the disk is nearly full, like a log that nobody rotates."""
        self._growing.set()
        threading.Thread(target=self._grow, daemon=True).start()

    def clear(self) -> None:
        """Remove what the faults wrote."""
        self._growing.clear()
        self._file.unlink(missing_ok=True)

    def _grow(self) -> None:
        stop = threading.Event()
        while self._growing.is_set():
            with self._file.open("ab") as file:
                if file.tell() < SIZE - IN_USE - 8 * STEP:
                    file.write(bytes(STEP))
            stop.wait(1)
        self._file.unlink(missing_ok=True)


def _run(*command: str | Path) -> None:
    done = subprocess.run([*command], capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise SandboxError(f"{command[0]}: {done.stderr.strip()} (the small disk needs root)")
