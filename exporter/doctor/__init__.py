"""``magento-exporter doctor``: what works, what is off and why, and the exact fix, before the first scrape.

Every check is a function from an Examination to findings. It asks the same
sources with the same login as the exporter will, and runs every collector once
without keeping anything, to show what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from exporter.doctor import collecting, connections, identity, operation, release, rights, shop
from exporter.doctor.examination import Examination, Finding

CHECKS: Final[tuple[tuple[str, Callable[[Examination], Iterator[Finding]]], ...]] = (
    ("Shop", shop.check),
    ("Connections", connections.check),
    ("Release", release.check),
    ("Rights and indexes", rights.check),
    ("Collectors (first run; later ones read less)", collecting.check),
    ("Operation", operation.check),
    ("This report", identity.check),
)
"""The sections of the report, each after what it stands on."""


def examine(subject: Examination) -> Iterator[Finding]:
    """Run every check."""
    for section, check in CHECKS:
        for finding in check(subject):
            yield replace(finding, section=section)
