"""What a recording rule is: a query that several alerts and panels share, computed once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from exporter.core.metrics import Kind
from exporter.errors import SpecError

_NAME: Final = re.compile(r"magento:[a-z0-9_]+:[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording rule.

    ``labels`` are the labels of the result beside those of the target; ``group`` is the rule group
    in which it stands before the alerts that use it; ``static`` are labels that it adds.
    """

    name: str
    expression: str
    labels: tuple[str, ...]
    group: str
    help: str
    static: tuple[tuple[str, str], ...] = ()
    kind: Kind = Kind.GAUGE

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SpecError(f"{self.name}: a recording rule is called magento:subject:operation")
