"""A token in a file of its own, read again when the file changes."""

from __future__ import annotations

from pathlib import Path

from exporter.errors import SettingsError
from exporter.files.following import Reader
from exporter.files.reading import reason


def read_token(reader: Reader, file: Path) -> bytes:
    """Return the token in the file; raises :exc:`SettingsError` if it cannot be read or holds none."""
    try:
        token = reader.bytes(file).strip()
    except OSError as error:
        raise SettingsError(f"{file}: {reason(error)}") from None
    if not token:
        raise SettingsError(f"{file}: holds no token")
    return token
