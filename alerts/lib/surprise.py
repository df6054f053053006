"""How surprising a shortfall is, in nats: the measure of every rule that compares with the usual.

The surprise of seeing only ``k`` events where ``E`` were to be expected is bounded by
``E - k + k ln(k / E)``, the exponent of Chernoff's bound for a Poisson count.
"""

from __future__ import annotations


def surprise(seen: str, usual: str) -> str:
    """Return PromQL for the surprise at ``seen`` instead of ``usual`` (same labels), whichever is larger."""
    some = f"clamp_min({seen}, 1e-9)"
    return f"({usual} - {seen} + {some} * ln({some} / ({usual} > 0)))"
