"""Which collector and which source a metric comes from, so that their failure can silence what they feed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from alerts.lib.model import Alert
from alerts.lib.recording import Recording
from exporter.core.collector import Collector
from exporter.errors import SpecError

_NAME: Final = re.compile(r"(?<![\w:.\"])([a-zA-Z_][a-zA-Z0-9_:]*)(?![\w:\"]|\s*\()")
_TEXT: Final = re.compile(
    r'"(?:\\.|[^"\\])*"|\{[^}]*\}|\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)'
)
_WORDS: Final = frozenset(
    [
        "and",
        "or",
        "unless",
        "offset",
        "bool",
        "by",
        "on",
        "without",
        "ignoring",
        "group_left",
        "group_right",
        "inf",
        "nan",
    ]
)


def names(expression: str) -> list[str]:
    """Return the metric names in a PromQL expression, in order of appearance."""
    bare = _TEXT.sub(" ", expression)
    bare = re.sub(r"\[[^\]]*\]|\boffset\s+\S+", " ", bare)
    return [name for name in _NAME.findall(bare) if name not in _WORDS]


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

    def metrics(self, expression: str) -> Iterable[str]:
        """Yield the metric names of an expression, recording rules resolved."""
        rules = {recording.name: recording for recording in self.recordings}
        for name in names(expression):
            if name in rules:
                yield from self.metrics(rules[name].expression)
            else:
                yield name

    def closure(self, alert: Alert) -> Iterable[str]:
        """Yield every name that the alert's expression needs, recording rules and what they use included."""
        rules = {recording.name: recording for recording in self.recordings}
        waiting = [*names(alert.value), *names(alert.guard)]
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                yield name
                if name in rules:
                    waiting += names(rules[name].expression)
