"""How much certainly failed: the measure of every rule and panel about a share of failures.

The lower end of Wilson's interval (z = 3) lets one rule fit a shop with five attempts an
hour and one with five thousand: one failure of one attempt is 10 %, 85 of 100 are 71 %.
"""

from __future__ import annotations

from promql.expr import Expr, clamp_min, function


def least_share(failed: Expr, attempts: Expr) -> Expr:
    """Return the share of the attempts that failed beyond what chance explains; absent without attempts.

    Both have the same labels. Counters read at different moments may show more failures than attempts.
    """
    some = attempts > 0
    doubt = function("sqrt", clamp_min(failed * (some - failed) / some, 0) + 2.25)
    return (failed + 4.5 - 3 * doubt) / (some + 9)
