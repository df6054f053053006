"""Reading the shop's ``app/etc/env.php`` from disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from exporter.errors import EnvPhpError
from exporter.magento.deployment import Deployment
from exporter.magento.php_literal import MAX_BYTES

ENV_PHP: Final = Path("app/etc/env.php")


def read_deployment(path: Path, environment: Mapping[str, str]) -> Deployment:
    """Return what the file and the environment say. Raises :exc:`EnvPhpError` with one line."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        return Deployment(content.decode("utf-8"), environment)
    except OSError as error:
        raise EnvPhpError(f"{path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise EnvPhpError(f"{path}: not UTF-8 text") from None
    except EnvPhpError as error:
        raise EnvPhpError(f"{path}: {error}") from None
