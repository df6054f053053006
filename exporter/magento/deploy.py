"""A deployment as ``magento-exporter deploy`` marks it in the shop's directory."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Final

from exporter.core.ports import Deploy

MARK: Final = Path("var/.magento-exporter-deploy.json")
LARGEST: Final = 4096
RELEASE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,99}")
"""A release's name is a label: short, and without characters that a query would have to escape."""


def understood(text: bytes) -> Deploy:
    """Return the deployment that the mark's text describes; raises :exc:`ValueError` if it is none."""
    document = json.loads(text)
    try:
        release, started, ended = document["release"], document["started"], document["ended"]
    except (KeyError, TypeError):
        raise ValueError("not a mark of a deployment") from None
    times = [started] if ended is None else [started, ended]
    if not isinstance(release, str) or not RELEASE.fullmatch(release):
        raise ValueError("not the name of a release")
    if not all(isinstance(time, float | int) and math.isfinite(time) for time in times):
        raise ValueError("not a time")
    return Deploy(release, started, ended)
