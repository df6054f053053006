"""The shop's directory, where the exporter can see it: a mount or the same machine, read-only."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from exporter.core.ports import Deploy
from exporter.errors import AccessDenied, SourceError, SourceUnavailable, UnexpectedAnswer
from exporter.files.following import Reader
from exporter.files.reading import reason
from exporter.magento.deploy import LARGEST, MARK, understood
from exporter.sources.env_php import EnvPhp

COMPOSER_LOCK: Final = Path("composer.lock")
MAINTENANCE_FLAG: Final = Path("var/.maintenance.flag")
DEPLOYED_VERSION: Final = Path("pub/static/deployed_version.txt")

_PRODUCTS: Final[Mapping[str, str]] = {
    "magento/product-enterprise-edition": "enterprise",
    "mage-os/product-community-edition": "mage-os",
    "magento/product-community-edition": "community",
}

_LARGEST_LOCK: Final = 64 * 1024 * 1024
"""Bytes read of composer.lock at most, many times what a shop's has."""

_NO_DESCRIPTOR: Final = (errno.EMFILE, errno.ENFILE)


class ShopFiles:
    """Implements :class:`exporter.core.ports.Files`. A file is opened again only when it has changed.

    So what is known stays known while no descriptor is free.
    """

    def __init__(self, root: Path, env_php: EnvPhp | None = None) -> None:
        self._root = root
        self._env_php = env_php
        self._product: tuple[Reader, tuple[str, str]] | None = None
        self._deploy: tuple[Reader, Deploy] | None = None

    def product(self) -> tuple[str, str]:
        """Return edition and version from composer.lock."""
        if self._product is None or self._product[0].changed():
            reader = Reader()
            self._product = (reader, self._read_lock(reader))
        return self._product[1]

    def mode(self) -> str:
        """Return ``MAGE_MODE`` of env.php, of its last good reading; empty if no env.php is read."""
        return self._env_php.current().mode() if self._env_php else ""

    def queue_connection(self) -> str:
        """Return the name of the queues' default connection; empty if no env.php is read."""
        env_php = self._env_php.current() if self._env_php else None
        known = env_php is not None and env_php.is_known("queue/default_connection")
        return env_php.queue_connection() if env_php is not None and known else ""

    def maintenance(self) -> bool:
        """Return whether ``var/.maintenance.flag`` exists; the shop's directory must be there to say no."""
        if self._changed(Path()) is None:
            raise SourceUnavailable("the shop's directory is not there")
        return self._changed(MAINTENANCE_FLAG) is not None

    def static_deployed_at(self) -> float | None:
        """Return when ``deployed_version.txt`` was last written."""
        changed = self._changed(DEPLOYED_VERSION)
        return changed / 1e9 if changed is not None else None

    def deploy(self) -> Deploy | None:
        """Return the last deployment that ``magento-exporter deploy`` marked."""
        if self._changed(MARK) is None:
            return None
        if self._deploy is None or self._deploy[0].changed():
            reader = Reader()
            self._deploy = (reader, self._read_mark(reader))
        return self._deploy[1]

    def _changed(self, path: Path) -> int | None:
        """Return the modification time in ns, ``None`` if there is no such file."""
        try:
            return (self._root / path).stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise AccessDenied(f"{path} may not be looked at") from None
        except OSError as error:
            raise SourceUnavailable(f"{path}: {error.strerror}") from None

    def _read_mark(self, reader: Reader) -> Deploy:
        try:
            return understood(reader.bytes(self._root / MARK, limit=LARGEST))
        except OSError as error:
            raise _unreadable(MARK, error) from None
        except ValueError:
            raise UnexpectedAnswer(f"{MARK} cannot be understood") from None

    def _read_lock(self, reader: Reader) -> tuple[str, str]:
        try:
            document = json.loads(reader.bytes(self._root / COMPOSER_LOCK, limit=_LARGEST_LOCK))
            packages = {str(package["name"]): str(package["version"]) for package in document["packages"]}
        except (FileNotFoundError, NotADirectoryError):
            return "", ""
        except OSError as error:
            raise _unreadable(COMPOSER_LOCK, error) from None
        except (ValueError, KeyError, TypeError):
            raise UnexpectedAnswer("composer.lock cannot be understood") from None
        for name, edition in _PRODUCTS.items():
            if name in packages:
                return edition, packages[name]
        return "", ""


def _unreadable(path: Path, error: OSError) -> SourceError:
    """Return what it means that a file which is there cannot be read."""
    if isinstance(error, PermissionError):
        return AccessDenied(f"{path} may not be read")
    if error.errno in _NO_DESCRIPTOR:
        return SourceUnavailable(f"{path}: {reason(error)}")
    return UnexpectedAnswer(f"{path}: {reason(error)}")
