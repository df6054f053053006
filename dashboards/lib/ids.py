"""Panel ids that stay the same when panels are added, moved or removed."""

from __future__ import annotations

import zlib
from typing import Final

_SPACE: Final = 1_000_000


def panel_id(uid: str, key: str) -> int:
    """Return the id of the panel ``key`` of dashboard ``uid``: a hash, so links to it survive every edit.

    Ids are unique within a dashboard; a test finds a collision, and renaming the key ends it.
    """
    return zlib.crc32(f"{uid}/{key}".encode()) % _SPACE + 1
