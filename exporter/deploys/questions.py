"""What the gates ask Prometheus. The expressions use the pack's metrics and alerts, nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from exporter.collectors import deployment, orders, placements
from exporter.collectors.expected_orders import collector as expected_orders
from exporter.errors import UsageError
from exporter.sources.monitoring import Prometheus

_SHOP: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
HALF_HOUR: Final = 1800
TWO_HOURS: Final = 7200
WEEK: Final = 7 * 86_400
_SEEN: Final = 300
"""Seconds that the newest value of a series may be old: Prometheus's own limit."""
_HOLDING: Final = (
    'severity=~"critical|urgent"',
    'alertname=~"MagentoCronLagging|MagentoIndexerBacklogGrowing|MagentoIndexerStuck|MagentoQueueStalled"',
)
"""Which alerts hold a deployment: what needs somebody at once, and a backlog that it would make longer."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions about one shop, or about all of them if none is named."""

    prometheus: Prometheus
    shop: str = ""

    def firing(self, at: float, *, severity: str = "") -> list[str]:
        """Return the names of the alerts that fire and hold a deployment, or of one severity."""
        which = (f'severity="{severity}"',) if severity else _HOLDING
        parts = (self._of(f'ALERTS{{alertname=~"Magento.+",alertstate="firing",{one}}}') for one in which)
        found = self.prometheus.series(f"group by (alertname) ({' or '.join(parts)})", at)
        return sorted(series.labels.get("alertname", "") for series in found)

    def rules_run(self, at: float) -> bool:
        """Return whether Prometheus has the pack's rules: the watchdog always fires."""
        query = 'count(ALERTS{alertname="MagentoWatchdog",alertstate="firing"})'
        return bool(self.prometheus.value(query, at))

    def answered(self, seconds: float, at: float) -> float:
        """Return the share of the time in which the exporter answered with orders."""
        collecting = self._of('magento_collector_success{collector="orders"}')
        asked = self._of('up{job=~"magento|magento-exporter"}')
        query = (
            f"sum(sum_over_time({self._range(collecting, seconds)}))"
            f" / sum(count_over_time({self._range(asked, seconds)}))"
        )
        return self.prometheus.value(query, at) or 0.0

    def orders(self, seconds: float, at: float) -> float:
        """Return how many orders were placed in the time before the moment."""
        return self._increase(orders.PLACED.name, seconds, at)

    def attempts(self, seconds: float, at: float) -> float:
        """Return how many attempts to order came to an end."""
        return self._increase(placements.ATTEMPTS.name, seconds, at)

    def failed(self, seconds: float, at: float) -> float:
        """Return how many of them failed."""
        return self._increase(placements.FAILED.name, seconds, at)

    def expected(self, window: str, at: float) -> float | None:
        """Return how many orders are usual in the window that ends at the moment."""
        return self.prometheus.value(self._expected(window), at)

    def busy(self, at: float) -> float | None:
        """Return how many orders two hours bring that are busier than nine tenths of the week's."""
        week = f"{self._expected('2h')}[{WEEK}s:30m]"
        return self.prometheus.value(f"quantile_over_time(0.9, {week})", at)

    def budget_left(self, usual: float, at: float) -> float | None:
        """Return the share of the month's budget of failed placements that is left.

        The budget is that of each store's own objective; before those are known, ``usual`` may fail.
        """
        failed = f"sum({self._of('magento:placements_failed:increase30d')})"
        attempts = self._of("magento:placement_attempts:increase30d")
        may_fail = f"(1 - {self._of(placements.OBJECTIVE.name)})"
        own = f"sum({attempts} * on (job, instance, shop, store) {may_fail})"
        left = self.prometheus.value(f"1 - {failed} / ({own} > 0)", at)
        return (
            left
            if left is not None
            else self.prometheus.value(f"1 - {failed} / (sum({attempts}) > 0) / {usual:g}", at)
        )

    def closed(self, seconds: float, at: float) -> float:
        """Return the share of the time in which the shop was in maintenance."""
        query = f"max(avg_over_time({self._range(self._of(deployment.MAINTENANCE.name), seconds)}))"
        return self.prometheus.value(query, at) or 0.0

    def deployed(self, release: str, at: float) -> tuple[float, float] | None:
        """Return when the release's deployment began and ended, as the exporter saw it in the shop."""
        began, ended = (
            self._newest(f'{metric.name}{{release="{release}"}}', at)
            for metric in (deployment.DEPLOY_STARTED, deployment.DEPLOY_ENDED)
        )
        return None if began is None or ended is None else (began, ended)

    def probed_seconds(self, seconds: float, at: float) -> float | None:
        """Return how long the shop's pages took, from outside."""
        pages = self._of('probe_duration_seconds{page!=""}')
        return self.prometheus.value(f"avg(avg_over_time({self._range(pages, seconds)}))", at)

    def _expected(self, window: str) -> str:
        selector = self._of(expected_orders.EXPECTED.name + f'{{window="{window}"}}')
        return f"sum({selector})"

    def _newest(self, selector: str, at: float) -> float | None:
        return self.prometheus.value(f"max(last_over_time({self._range(self._of(selector), _SEEN)}))", at)

    def _increase(self, name: str, seconds: float, at: float) -> float:
        query = f"sum(increase({self._range(self._of(name), seconds)}))"
        return round(self.prometheus.value(query, at) or 0.0)

    def _of(self, selector: str) -> str:
        """Return the selector for the shop."""
        if not self.shop:
            return selector
        if not _SHOP.fullmatch(self.shop):
            raise UsageError(f"--shop {self.shop}: letters, digits, points, dashes")
        name, brace, matchers = selector.partition("{")
        rest = f",{matchers}" if brace else "}"
        return f'{name}{{shop="{self.shop}"{rest}'

    @staticmethod
    def _range(selector: str, seconds: float) -> str:
        return f"{selector}[{round(seconds)}s]"
