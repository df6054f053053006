"""What a metric is: declared once here, everything else is derived from it.

A :class:`Metric` is both the declaration (name, type, help, labels) and the
factory of its samples, so a sample cannot carry a label that was not declared.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from exporter.errors import SpecError

PREFIX: Final = "magento_"
_NAME = re.compile(r"magento_[a-z0-9]+(_[a-z0-9]+)*")
_LABEL = re.compile(r"[a-z][a-z0-9_]*")
_NOT_FOR_GAUGES = ("_total", "_count", "_sum", "_bucket")


class Kind(StrEnum):
    """The Prometheus types that this exporter uses."""

    GAUGE = "gauge"
    COUNTER = "counter"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the exposition. ``suffix`` is ``_sum`` or ``_count`` in a summary, else empty."""

    metric: Metric
    labels: tuple[str, ...]
    value: float
    suffix: str = ""

    def label(self, name: str) -> str:
        """Return the value of one of the metric's labels."""
        return self.labels[self.metric.labels.index(name)]


@dataclass(frozen=True, slots=True)
class Metric:
    """The declaration of one metric family.

    ``name`` is the name as scraped; a counter ends in ``_total``. ``help`` names the
    unit and where in Magento the fact comes from. ``labels`` are the label names in
    the order in which they are written.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise SpecError(f"{self.name}: not a snake_case name that starts with {PREFIX}")
        if (self.kind is Kind.COUNTER) is not self.name.endswith("_total"):
            raise SpecError(f"{self.name}: counters, and only counters, end in _total")
        if self.kind is not Kind.COUNTER and self.name.endswith(_NOT_FOR_GAUGES):
            raise SpecError(f"{self.name}: the suffix belongs to another metric type")
        if not self.help.strip() or "\n" in self.help:
            raise SpecError(f"{self.name}: help is one line of text")
        for label in self.labels:
            if not _LABEL.fullmatch(label):
                raise SpecError(f"{self.name}: {label!r} is not a label name")
        if len(set(self.labels)) != len(self.labels):
            raise SpecError(f"{self.name}: a label is declared twice")

    def sample(self, value: float | Decimal, /, **labels: str) -> Sample:
        """Return a sample of this metric; every declared label must be given, and no other."""
        if self.kind is Kind.SUMMARY:
            raise SpecError(f"{self.name}: a summary has a sum and a count")
        return Sample(self, self.key(labels), float(value))

    def summary(self, *, total: float | Decimal, count: float | Decimal, **labels: str) -> Iterator[Sample]:
        """Yield the ``_sum`` and the ``_count`` of a summary."""
        if self.kind is not Kind.SUMMARY:
            raise SpecError(f"{self.name}: is no summary")
        key = self.key(labels)
        yield Sample(self, key, float(total), "_sum")
        yield Sample(self, key, float(count), "_count")

    def state_set(
        self, label: str, states: Iterable[str], current: str, /, **labels: str
    ) -> Iterator[Sample]:
        """Yield one sample per state: 1 for the current one, 0 for every other.

        A current state that is not among ``states`` (a newer Magento, an extension)
        is yielded as well, so that exactly one sample is 1.
        """
        for state in dict.fromkeys((*states, current)):
            yield self.sample(float(state == current), **{**labels, label: state})

    def key(self, labels: dict[str, str]) -> tuple[str, ...]:
        """Return label values in declared order; raise :exc:`SpecError` unless they match the declaration."""
        if len(labels) != len(self.labels):
            raise SpecError(f"{self.name}: has labels {self.labels}, got {tuple(labels)}")
        try:
            return tuple(str(labels[name]) for name in self.labels)
        except KeyError as missing:
            raise SpecError(f"{self.name}: has labels {self.labels}, got {tuple(labels)}") from missing

    @property
    def family(self) -> str:
        """The family name of OpenMetrics, which has no ``_total``."""
        return self.name.removesuffix("_total") if self.kind is Kind.COUNTER else self.name


def having(samples: Iterable[Sample], label: str, values: Container[str]) -> Iterator[Sample]:
    """Leave out the samples whose label has none of the values: counters remember what no longer exists."""
    return (sample for sample in samples if sample.label(label) in values)


def gauge(name: str, help_text: str, *labels: str) -> Metric:
    """Declare a gauge: the current state of something."""
    return Metric(name, Kind.GAUGE, help_text, labels)


def counter(name: str, help_text: str, *labels: str) -> Metric:
    """Declare a counter: events since the exporter's state began, for ``rate()`` and ``increase()``."""
    return Metric(name, Kind.COUNTER, help_text, labels)


def summary(name: str, help_text: str, *labels: str) -> Metric:
    """Declare a summary without quantiles: a running sum and the number of its parts."""
    return Metric(name, Kind.SUMMARY, help_text, labels)
