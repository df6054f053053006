"""What a recording rule is: a query that several alerts and panels share, computed once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from exporter.core.metrics import Kind
from exporter.errors import SpecError
from promql.expr import Expr
from promql.metrics import SHOP

_NAME: Final = re.compile(r"magento:[a-z0-9_]+:[a-z0-9_]+")


@dataclass(frozen=True)
class Recording:
    """One recording rule. ``group`` is the rule group in which it stands before the alerts that use it."""

    name: str
    expr: Expr
    group: str
    help: str
    kind: Kind = Kind.GAUGE

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SpecError(f"{self.name}: a recording rule is called magento:subject:operation")
        lost = set(SHOP) - (self.expr.labels or frozenset())
        if lost:
            raise SpecError(f"{self.name}: shops would mix without {', '.join(sorted(lost))}")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the result beside those of the shop."""
        return tuple(sorted((self.expr.labels or frozenset()) - set(SHOP)))
