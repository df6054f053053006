"""What an alert's expression consists of: a comparison, limits of the user's own, guards, maintenance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from exporter.collectors.deployment import MAINTENANCE
from exporter.core.metrics import Kind
from promql.expr import Expr, join, max_by, series
from promql.metrics import SHOP, External

THRESHOLD: Final = External(
    "magento_alert_threshold", Kind.GAUGE, "the user's rule file of thresholds", ("alert",)
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A guard: what must, or must not, be there beside what the comparison found."""

    required: bool
    other: Expr
    on: tuple[str, ...] | None

    def applied(self, found: Expr) -> Expr:
        """Return what the guard leaves of it."""
        return (
            found.only_if(self.other, on=self.on) if self.required else found.unless(self.other, on=self.on)
        )


def only_where(other: Expr, *, on: Iterable[str] | None = None) -> Clause:
    """Return the guard that keeps what has a partner; without ``on`` in all labels."""
    return Clause(True, other, None if on is None else tuple(on))


def unless(other: Expr, *, on: Iterable[str] | None = None) -> Clause:
    """Return the guard that drops what has a partner; without ``on`` in all labels."""
    return Clause(False, other, None if on is None else tuple(on))


OUTSIDE_MAINTENANCE: Final = unless(series(MAINTENANCE).equals(1), on=SHOP)

OUTSIDE_MAINTENANCE_OF_THE_SHOP: Final = unless(
    max_by(series(MAINTENANCE, shop="!="), "shop").equals(1), on=("shop",)
)
"""For what another exporter says of the shop: only the shop's name joins it."""


def limited(value: Expr, operator: str, limit: Expr, *, name: str, scope: str | None) -> Expr:
    """Compare with the limit, or with the user's own for the job and the value of the label ``scope``."""
    default = join(value, operator, limit)
    if scope is None:
        return default
    by = ("job", scope) if scope else ("job",)
    own = series(
        replace(THRESHOLD, labels=(*THRESHOLD.labels, scope) if scope else THRESHOLD.labels), alert=name
    )
    tuned = value.join(operator, max_by(own, *by), on=by, group_left=())
    return tuned.or_else(default.unless(own, on=by))
