"""What can be selected, with the labels that it has, and the labels that tell one shop from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from exporter.core.metrics import Kind

SHOP: Final = ("job", "instance", "shop")
"""The labels that identify a shop, those of the target that Prometheus scrapes.

``shop`` is the name that the scrape configuration gives to it; where it gives none, the label is empty.
"""

STORE: Final = (*SHOP, "store")
"""The labels that identify a store view of a shop."""


class Selectable(Protocol):
    """What can be selected: a metric spec, a recording rule, an external metric."""

    @property
    def name(self) -> str:
        """The name as stored by Prometheus."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, without those of the target."""
        ...

    @property
    def kind(self) -> Kind:
        """Gauge, counter or summary."""
        ...


@dataclass(frozen=True, slots=True)
class External:
    """A metric that another exporter, Prometheus itself or the user provides. ``origin`` says which."""

    name: str
    kind: Kind
    origin: str
    labels: tuple[str, ...] = ()


PROMETHEUS: Final = "Prometheus itself"
UP: Final = External("up", Kind.GAUGE, PROMETHEUS)
ALERTS: Final = External(
    "ALERTS",
    Kind.GAUGE,
    PROMETHEUS,
    ("alertname", "alertstate", "severity", "category", "service", "source", "store"),
)
SCRAPE_DURATION: Final = External("scrape_duration_seconds", Kind.GAUGE, PROMETHEUS)
SCRAPE_SAMPLES: Final = External("scrape_samples_scraped", Kind.GAUGE, PROMETHEUS)
_BLACKBOX: Final = "blackbox_exporter"
_PROBE: Final = ("page", "prober")
"""The labels of a probe's target beside the shop: the name of the page, and the prober that asked."""
PROBE_SUCCESS: Final = External("probe_success", Kind.GAUGE, _BLACKBOX, _PROBE)
PROBE_LAST_MODIFIED: Final = External(
    "probe_http_last_modified_timestamp_seconds", Kind.GAUGE, _BLACKBOX, _PROBE
)
PROBE_CERTIFICATE: Final = External("probe_ssl_earliest_cert_expiry", Kind.GAUGE, _BLACKBOX, _PROBE)
PROBE_STATUS: Final = External("probe_http_status_code", Kind.GAUGE, _BLACKBOX, _PROBE)
PROBE_PHASE: Final = External("probe_http_duration_seconds", Kind.GAUGE, _BLACKBOX, (*_PROBE, "phase"))
PROBE_DURATION: Final = External("probe_duration_seconds", Kind.GAUGE, _BLACKBOX, _PROBE)
PROBE_UP: Final = External("up", Kind.GAUGE, PROMETHEUS, _PROBE)
PROCESS: Final = "the process metrics of the Prometheus client library"
PROCESS_CPU: Final = External("process_cpu_seconds_total", Kind.COUNTER, PROCESS)
PROCESS_MEMORY: Final = External("process_resident_memory_bytes", Kind.GAUGE, PROCESS)
PROCESS_FILES: Final = External("process_open_fds", Kind.GAUGE, PROCESS)
PROCESS_STARTED: Final = External("process_start_time_seconds", Kind.GAUGE, PROCESS)
