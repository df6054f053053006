"""Reading the shop's ``app/etc/env.php`` from disk, and following it as it changes."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from exporter.errors import EnvPhpError
from exporter.magento.env_php import EnvPhpSettings
from exporter.magento.php_literal import MAX_BYTES

log: Final = logging.getLogger("exporter.sources")

ENV_PHP: Final = Path("app/etc/env.php")
# A pipe without a writer would be waited for, and a terminal must not become ours.
_OPEN: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def locate(env_php: str | Path | None, magento_root: str | Path | None) -> Path | None:
    """Return the env.php to read: the one that is named, else the one of the shop's directory."""
    if env_php:
        return Path(env_php)
    return Path(magento_root) / ENV_PHP if magento_root else None


def read_env_php(path: Path, environment: Mapping[str, str]) -> EnvPhpSettings:
    """Return what the file and the environment say. Raises :exc:`EnvPhpError` with one line."""
    try:
        return EnvPhpSettings(_content(path).decode("utf-8"), environment)
    except OSError as error:
        raise EnvPhpError(f"{path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise EnvPhpError(f"{path}: not UTF-8 text") from None
    except EnvPhpError as error:
        raise EnvPhpError(f"{path}: {error}") from None


class EnvPhp:
    """One env.php, read again when it has changed.

    One that cannot be read at the moment (Magento may be writing it) leaves the
    last good reading in force.
    """

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        """Read the file; raises :exc:`EnvPhpError` if that fails the first time."""
        self._path = path
        self._environment = environment
        self._stamp = _stamp(path)
        self._settings = read_env_php(path, environment)

    def current(self) -> EnvPhpSettings:
        """Return what the file says now."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._settings = read_env_php(self._path, self._environment)
            except EnvPhpError as error:
                log.warning("env.php not taken over: %s", error)
        return self._settings


def _content(path: Path) -> bytes:
    with os.fdopen(os.open(path, _OPEN), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise EnvPhpError("not a regular file")
        return file.read(MAX_BYTES + 1)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0
    return status.st_mtime_ns, status.st_size, status.st_ino
