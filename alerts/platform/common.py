"""What the alerts about servers have in common: who is notified, and when they stay silent."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts.lib.condition import OUTSIDE_MAINTENANCE_OF_THE_SHOP
from alerts.lib.model import Alert, Category, NoData, Severity, Team
from alerts.lib.recording import Recording
from exporter.magento.roles import ROLE, Role
from promql.expr import Expr, max_by, relabel, union
from promql.metrics import SHOP

GROUP: Final = "platform"
SERVER: Final = (*SHOP, ROLE)
"""The labels of one server of a shop, as its exporter's target carries them."""

platform: Final = partial(
    Alert,
    severity=Severity.WARNING,
    team=Team.PLATFORM,
    category=Category.PLATFORM,
    inherits=False,
    maintenance=False,
    maintenance_guard=OUTSIDE_MAINTENANCE_OF_THE_SHOP,
    no_data=NoData.EXTERNAL,
)
"""An alert about a server: without its exporter it has no data and is silent, also during maintenance."""


def ours(expr: Expr, role: Role) -> Expr:
    """Return what the Magento exporter itself knows of a server, labelled as by its own exporter."""
    return relabel(max_by(expr, *SHOP), target=ROLE, value=role)


def first_ours(own: Expr, role: Role, other: Expr) -> Expr:
    """Return our own number, or that of another exporter for a shop that has none of ours."""
    known = ours(own, role)
    return union(known, other.unless(known, on=("shop",)))


def recorded(name: str, expr: Expr, about: str) -> Recording:
    """Return a recording of the group: one name for a fact, whatever the exporter's version calls it."""
    return Recording(name, expr, group=GROUP, help=about)
