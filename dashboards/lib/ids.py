"""Panel ids that never move: links with ``viewPanel`` and alerts' panels survive every other change."""

from __future__ import annotations

import zlib


def panel_id(dashboard: str, key: str) -> int:
    """Return the id of the panel ``key`` (a short constant name) of the dashboard with this uid."""
    return zlib.crc32(f"{dashboard}/{key}".encode()) % 1_000_000 + 1
