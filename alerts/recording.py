"""The recording rules: queries that several alerts and panels share, each computed once.

A rule stands in the group (the subject) whose alerts use it first. Use it like any
other series: ``select(HIT_RATIO, layer="varnish")``.
"""

from __future__ import annotations

from typing import Final

from alerts.lib.recording import Recording

RECORDINGS: Final[tuple[Recording, ...]] = ()
