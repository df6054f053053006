"""Reading one file: only a regular one, without waiting, and never more than a bound."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a file of settings at most, unless the caller says otherwise."""

# A pipe without a writer would be waited for, and a terminal must not become ours.
_OPEN: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def read_bytes(path: Path, *, limit: int = LARGEST) -> bytes:
    """Return the content; raises :exc:`OSError`, also for a pipe, a device or a file too large."""
    with os.fdopen(os.open(path, _OPEN), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {_size(limit)}", str(path))
    return content


def reason(error: OSError) -> str:
    """Return why a file cannot be read, in a few words without its path."""
    return error.strerror or type(error).__name__


def _size(limit: int) -> str:
    mebibytes, rest = divmod(limit, 1024 * 1024)
    return f"{limit} bytes" if rest else f"{mebibytes} MiB"
