"""Reading the shop's ``app/etc/env.php`` from disk, and following it as it changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from exporter.errors import EnvPhpError, NotPlainData
from exporter.files.following import Followed, Reader
from exporter.files.reading import reason
from exporter.magento.env_php import EnvPhpSettings
from exporter.magento.php_literal import MAX_BYTES

ENV_PHP: Final = Path("app/etc/env.php")
_WAY_OUT: Final = "give database.host and the other servers by hand"


def locate(env_php: str | Path | None, magento_root: str | Path | None) -> Path | None:
    """Return the env.php to read: the one that is named, else the one of the shop's directory."""
    if env_php:
        return Path(env_php)
    return Path(magento_root) / ENV_PHP if magento_root else None


class EnvPhp:
    """One env.php, read again when it has changed.

    One that cannot be read at the moment (Magento may be writing it) leaves the
    last good reading in force.
    """

    def __init__(self, path: Path, environment: Mapping[str, str], *, by_hand: bool = False) -> None:
        """Read the file; raises :exc:`EnvPhpError` if that fails the first time.

        ``by_hand`` means that servers are given by hand. A file that is no plain data
        then only costs what it would have said.
        """
        self._path = path
        self._by_hand = by_hand
        self._environment = environment
        self._followed = Followed("env.php", self._read)

    def current(self) -> EnvPhpSettings:
        """Return what the file says now."""
        return self._followed.current()

    def _read(self, reader: Reader, before: EnvPhpSettings | None) -> EnvPhpSettings:
        try:
            content = reader.bytes(self._path, limit=MAX_BYTES)
            directory = str(self._path.parent.absolute())
            return EnvPhpSettings(content.decode("utf-8"), self._environment, directory=directory)
        except OSError as error:
            raise EnvPhpError(f"{self._path}: {reason(error)}") from None
        except UnicodeDecodeError:
            raise EnvPhpError(f"{self._path}: not UTF-8 text") from None
        except NotPlainData as error:
            if before is None and self._by_hand:
                return EnvPhpSettings.without(str(error), self._environment)
            raise NotPlainData(f"{self._path}: {error}; {_WAY_OUT}") from None
        except EnvPhpError as error:
            raise EnvPhpError(f"{self._path}: {error}") from None
