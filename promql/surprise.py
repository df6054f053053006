"""How surprising a shortfall is, in nats: the measure of every rule that compares with the usual.

The surprise of seeing only ``k`` events where ``E`` were to be expected is bounded by
``E - k + k ln(k / E)``, the exponent of Chernoff's bound for a Poisson count.
"""

from __future__ import annotations

from promql.expr import Expr, clamp_min, function


def surprise(seen: Expr, usual: Expr) -> Expr:
    """Return the surprise at ``seen`` instead of ``usual`` (same labels), whichever is larger."""
    some = clamp_min(seen, 1e-9)
    return usual - seen + some * function("ln", some / (usual > 0))
