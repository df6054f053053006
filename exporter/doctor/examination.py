"""What the doctor looks at, and the form of what it finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.app import Exporter
from exporter.backends import Backends
from exporter.core.collector import Collector, ContextFactory
from exporter.core.metrics import Sample
from exporter.magento.env_php import EnvPhpSettings


class Status(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    OFF = "off"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was checked, what was seen, and what to do about it."""

    status: Status
    check: str
    seen: str
    fix: str = ""
    section: str = ""


@dataclass(slots=True)
class Examination:
    """What the checks look at, and what they leave for one another.

    ``consumer_start_seconds`` is how long cron may take to start a missing consumer; 0 for not to wait.
    """

    exporter: Exporter
    context: ContextFactory
    consumer_start_seconds: float
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    account: str = ""

    @property
    def backends(self) -> Backends:
        """The opened sources."""
        return self.exporter.backends

    @property
    def env_php(self) -> EnvPhpSettings | None:
        """The shop's env.php, if it is known."""
        return self.backends.env_php.current() if self.backends.env_php else None

    def collectors(self) -> Iterable[Collector]:
        """Return the collectors that would run."""
        return [state.collector for state in self.exporter.runner.states.values()]

    def values(self, metric: str) -> Iterator[tuple[Mapping[str, str], float]]:
        """Yield labels and value of every sample of a metric."""
        for samples in self.samples.values():
            for sample in samples:
                if sample.metric.name == metric:
                    yield dict(zip(sample.metric.labels, sample.labels, strict=True)), sample.value
