"""How surprising a shortfall is, in nats: the measure of every rule that compares with the usual."""

from __future__ import annotations


def surprise(seen: str, usual: str) -> str:
    """Return the surprise at the difference between ``seen`` and ``usual`` (same labels), as PromQL."""
    some = f"clamp_min({seen}, 1e-9)"
    return f"({usual} - {seen} + {some} * ln({some} / ({usual} > 0)))"
