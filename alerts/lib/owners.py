"""Which collector and which source a metric comes from, so that their failure can silence what they feed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from alerts.lib.model import Alert
from alerts.lib.recording import Recording
from exporter.core.collector import Collector
from exporter.errors import SpecError
from promql.expr import Expr


@dataclass(frozen=True, slots=True)
class Owners:
    """The collectors by metric, and the recording rules by name."""

    collectors: tuple[type[Collector], ...]
    recordings: tuple[Recording, ...] = ()
    _by_metric: dict[str, list[type[Collector]]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for collector in self.collectors:
            for metric in collector.metrics:
                for suffix in ("", "_sum", "_count"):
                    self._by_metric.setdefault(metric.name + suffix, []).append(collector)

    def of(self, alert: Alert) -> Mapping[str, str]:
        """Return the labels ``collector`` and ``source`` of the metric that the alert looks at first.

        A metric that several collectors yield (the queues of two brokers) names none.
        """
        if not alert.inherits:
            return {}
        for name in self.metrics(alert.value):
            collectors = self._by_metric.get(name, [])
            if len(collectors) > 1:
                return {}
            if collectors:
                return {"collector": collectors[0].name, "source": collectors[0].source}
        raise SpecError(f"alert {alert.name}: no collector yields any metric of its value")

    def metrics(self, expr: Expr) -> Iterable[str]:
        """Yield the metric names of an expression, recording rules resolved."""
        rules = {recording.name: recording for recording in self.recordings}
        for name in expr.metrics():
            if name in rules:
                yield from self.metrics(rules[name].expr)
            else:
                yield name

    def closure(self, alert: Alert) -> Iterable[str]:
        """Yield every name that the alert's expression needs, recording rules and what they use included."""
        rules = {recording.name: recording for recording in self.recordings}
        waiting = [*alert.value.metrics()]
        waiting += [name for clause in alert.guard for name in clause.other.metrics()]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                yield name
                if name in rules:
                    waiting += rules[name].expr.metrics()
