"""What an alert is: declared once here; rules, routes, tests, documentation and links are derived from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from alerts.lib.cases import Cases
from alerts.lib.condition import OUTSIDE_MAINTENANCE, Clause, limited
from exporter.errors import SpecError
from promql.expr import Expr, number, seconds

_NAME: Final = re.compile(r"Magento([A-Z][a-z0-9]+)+")
_OPERATORS: Final = (">", "<", ">=", "<=", "==", "!=")


class Severity(StrEnum):
    """What is to be done, and when."""

    CRITICAL = "critical"
    """Customers cannot buy now: call somebody, day and night."""
    URGENT = "urgent"
    """It costs sales by the hour: a message at any hour, and a call if nobody answers within the hour."""
    WARNING = "warning"
    """It will cost sales or trust if it stays: a matter for working hours."""
    INFO = "info"
    """Context for another alert: shown, never notified."""
    NONE = "none"
    """The watchdog: proof that alerts arrive."""


class Team(StrEnum):
    """Who is notified."""

    COMMERCE = "commerce"
    """Those responsible for selling: the shop's application and its payment methods."""
    PLATFORM = "platform"
    """Those who run the servers, cron, queues, caches and the exporter."""


class Category(StrEnum):
    """The subject, for routing and for the list that the on-call engineer reads."""

    BUSINESS = "business"
    CHECKOUT = "checkout"
    CRON = "cron"
    INDEX = "index"
    QUEUE = "queue"
    CACHE = "cache"
    SECURITY = "security"
    EXPORTER = "exporter"
    PROBE = "probe"
    PLATFORM = "platform"


class Unit(StrEnum):
    """What the threshold counts. Seconds shrink with the clock of a game day, the others do not."""

    SECONDS = "seconds"
    NUMBER = "number"
    RATIO = "ratio"
    NATS = "nats"
    FACTOR = "factor"


class NoData(StrEnum):
    """What it means when the series of the expression are not there."""

    SILENT = (
        "Silent: missing data proves nothing. MagentoExporterDown, MagentoBackendDown, MagentoSourceDown, "
        "MagentoCollectorFailing or MagentoDataStale fires instead."
    )
    OPTIONAL = (
        "Silent: the series exist only in shops that use the feature, so missing data is normal. If it is a "
        "fault, MagentoCollectorFailing or MagentoDataStale fires."
    )
    EXTERNAL = (
        "Silent: the series come from another exporter. Without it, or without `shop` and `magento_role` on "
        "its target, the alert is off, and its panel says so."
    )
    FIRES = "Fires: missing data is what it is about."


@dataclass(frozen=True, slots=True)
class Urgently:
    """When an alert is urgent instead of a warning: a condition for templates, and the same in words."""

    condition: str
    words: str


@dataclass(frozen=True, slots=True)
class Panel:
    """The panel that shows the value of the alert: a dashboard's uid and the panel's key."""

    dashboard: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert: what it compares, how it behaves, its texts and its test cases. Times are in seconds."""

    name: str
    severity: Severity
    team: Team
    service: str
    category: Category
    value: Expr
    """The number that is compared with ``threshold`` by ``op``."""
    threshold: float
    summary: str
    """A headline without templates."""
    description: str
    """A template with the value, the place and the limit (``%limit%``)."""
    impact: str
    """One line for a phone."""
    first_action: str
    """One line for a phone."""
    panel: Panel
    why: str
    """The reason for the limit and for the times."""
    cases: Cases
    op: str = ">"
    unit: Unit = Unit.NUMBER
    guard: tuple[Clause, ...] = ()
    """What must, or must not, be there as well."""
    scope: str | None = None
    """The label whose values may have a threshold of their own. Empty: one for the whole shop. None: none."""
    for_: int = 300
    keep_firing_for: int = 0
    interval: int = 60
    no_data: NoData = NoData.SILENT
    maintenance: bool = True
    """Whether it is silent during maintenance."""
    maintenance_guard: Clause = OUTSIDE_MAINTENANCE
    inherits: bool = True
    """Whether a failure of the collector or source of its data inhibits it."""
    blinds: bool = False
    """Whether the exporter, which serves the runbooks, does not answer while it fires."""
    urgently: Urgently | None = None
    """When it is urgent; its ``severity`` is then warning."""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SpecError(f"alert {self.name}: a name is CamelCase and starts with Magento")
        if self.op not in _OPERATORS:
            raise SpecError(f"alert {self.name}: {self.op!r} is no comparison")
        for text in (self.summary, self.description, self.impact, self.first_action, self.why):
            if (
                not text
                or not (text[0].isupper() or text[0].isdigit() or text.startswith("{{"))
                or text[-1] not in ".?"
            ):
                raise SpecError(f"alert {self.name}: {text!r} is not a sentence")
        if self.urgently and self.severity is not Severity.WARNING:
            raise SpecError(f"alert {self.name}: only a warning can become urgent")
        if "{{" in self.summary:
            raise SpecError(f"alert {self.name}: the summary is the headline of a group, without templates")
        self._check_expression()

    def _check_expression(self) -> None:
        try:
            labels = self.expr.labels or frozenset()
        except SpecError as error:
            raise SpecError(f"alert {self.name}: {error}") from error
        lost = {*self.cases.target_labels, *self.cases.entity} - labels
        if lost:
            raise SpecError(f"alert {self.name}: its expression has no label {', '.join(sorted(lost))}")

    @property
    def expr(self) -> Expr:
        """The whole expression of the rule."""
        limit = seconds(self.threshold) if self.unit is Unit.SECONDS else number(self.threshold)
        found = limited(self.value, self.op, limit, name=self.name, scope=self.scope)
        for clause in (*self.guard, *((self.maintenance_guard,) if self.maintenance else ())):
            found = clause.applied(found)
        return found

    @property
    def severities(self) -> tuple[Severity, ...]:
        """The severities that it may fire with, the worst last."""
        return (self.severity, Severity.URGENT) if self.urgently else (self.severity,)

    @property
    def severity_in_words(self) -> str:
        """The severity as a person reads it: ``warning, urgent for ...``."""
        return self.severity.value + (f", urgent {self.urgently.words}" if self.urgently else "")

    @property
    def runbook(self) -> str:
        """The name of its page in ``runbooks/`` and under ``/runbooks/``."""
        return self.name

    @property
    def series_labels(self) -> tuple[str, ...]:
        """The labels that its series carry beside those of the target: the place that it names."""
        return tuple(self.cases.entity)
