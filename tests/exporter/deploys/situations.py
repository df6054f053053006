"""Recorded situations: each is a shop of its own in one Prometheus, with hours before and after a deployment.

A situation says what happened; :func:`exposition` writes the series that Prometheus would have by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

MINUTE: Final = 60
HOUR: Final = 3600
NOW: Final = 1_760_000_400
"""When the gate is asked: a whole minute."""
AFTER: Final = 15 * MINUTE
BEGAN: Final = NOW - AFTER - 5 * MINUTE
ENDED: Final = NOW - AFTER
DAY: Final = 24 * HOUR
JOB: Final = 'job="magento",instance="e:9816"'


@dataclass(frozen=True)
class Situation:
    """What a shop did, and what the gates have to say about it."""

    orders: tuple[float, float]
    """Orders an hour, before the deployment's end and after it."""
    failing: tuple[float, float] = (0.02, 0.02)
    """Share of the placements that fail."""
    usual: Callable[[float], float] | None = None
    """Orders an hour that are usual at a moment; ``None`` for a shop without history."""
    pages: tuple[float, float] = (0.4, 0.4)
    """Seconds that a page takes."""
    firing: tuple[tuple[str, str, int], ...] = ()
    """Name and severity of alerts, and since when they fire."""
    away: tuple[int, int] = (0, 0)
    """From when to when the exporter had no orders."""
    maintenance_since: int = NOW + 1
    spent: float = 0.2
    """How much of the month's budget is spent."""
    before: int = 0
    after: int = 0
    said: tuple[str, ...] = field(default=())
    """Words that the gates must say."""


def constant(rate: float) -> Callable[[float], float]:
    return lambda _moment: rate


def peak(moment: float) -> float:
    """Two hours of each day have five times the orders: those that begin in a quarter of an hour."""
    return 500.0 if (moment - NOW - 15 * MINUTE) % DAY < 2 * HOUR else 100.0


def evening(moment: float) -> float:
    """Orders fall by half in the hour of the deployment, as every day."""
    since = (moment - (NOW - HOUR)) % DAY
    return 200.0 if since > DAY / 2 else max(200.0 - 100.0 * since / HOUR, 100.0)


SITUATIONS: Final = {
    "good": Situation((200, 210), usual=constant(200)),
    "payments-broken": Situation(
        (200, 120), failing=(0.02, 0.6), usual=constant(200), after=1, said=("placements failed after",)
    ),
    "orders-stop": Situation((200, 0), usual=constant(200), after=1, said=("0 orders after",)),
    "slower": Situation((200, 200), pages=(0.4, 2.4), usual=constant(200), after=1, said=("pages take 2.",)),
    "tiny": Situation((3, 2), after=2, said=("too few orders to tell", "too little history")),
    "peak": Situation((100, 100), usual=peak, before=1, said=("--peak-ok",)),
    "evening": Situation((190, 112), usual=evening),
    "critical": Situation(
        (200, 200), usual=constant(200), firing=(("MagentoBackendDown", "critical", ENDED + MINUTE),),
        before=1, after=1, said=("firing: MagentoBackendDown", "since the deployment: MagentoBackendDown"),
    ),
    "critical-before": Situation(
        (200, 200), usual=constant(200), firing=(("MagentoBackendDown", "critical", BEGAN - HOUR),), before=1
    ),
    "backlog": Situation(
        (200, 200), usual=constant(200), firing=(("MagentoCronLagging", "warning", NOW - HOUR),), before=1,
        said=("firing: MagentoCronLagging",),
    ),
    "budget-spent": Situation(
        (200, 200), usual=constant(200), spent=0.95, before=1, said=("5% of the month",)
    ),
    "exporter-away": Situation(
        (200, 200), usual=constant(200), away=(ENDED, NOW), before=2, after=2, said=("too little",)
    ),
    "maintenance": Situation(
        (200, 0), usual=constant(200), maintenance_since=BEGAN, after=1, said=("is in maintenance",)
    ),
}  # fmt: skip
"""The verdicts are those of a person who knows what happened; what is not said is 0, go."""


def exposition() -> str:
    """Return all situations as OpenMetrics with times, a family after the other."""
    families: dict[str, list[str]] = {}
    for name, labels, moment, value in _samples():
        families.setdefault(name, []).append(f"{name}{{{labels}}} {value:.6f} {moment}\n")
    body = "".join(f"# TYPE {name} unknown\n{''.join(lines)}" for name, lines in families.items())
    return body + "# EOF\n"


def _samples() -> Iterator[tuple[str, str, int, float]]:
    for moment in range(NOW - HOUR, NOW + 1, MINUTE):
        yield "ALERTS", 'alertname="MagentoWatchdog",alertstate="firing",severity="none"', moment, 1
    for shop, situation in SITUATIONS.items():
        for name, labels, moment, value in _of(situation):
            yield name, f'{JOB},shop="{shop}"{labels}', moment, value


def _of(situation: Situation) -> Iterator[tuple[str, str, int, float]]:
    yield from _counters(situation)
    if situation.usual is not None:
        yield from _usual(situation.usual)
    for moment in range(NOW - 3 * HOUR, NOW + 1, MINUTE):
        late = moment > ENDED
        yield "up", "", moment, 1
        if moment >= BEGAN:
            yield "magento_deploy_started_timestamp_seconds", ',release="v2"', moment, BEGAN
        if moment >= ENDED:
            yield "magento_deploy_ended_timestamp_seconds", ',release="v2"', moment, ENDED
        away = situation.away[0] < moment <= situation.away[1]
        yield "magento_collector_success", ',collector="orders"', moment, float(not away)
        yield "magento_maintenance_mode", "", moment, float(moment >= situation.maintenance_since)
        yield "probe_duration_seconds", ',page="home"', moment, situation.pages[late]
        yield "magento:placement_attempts:increase30d", ',store="de"', moment, 10_000
        yield "magento:placements_failed:increase30d", ',store="de"', moment, 500 * situation.spent
    for name, severity, since in situation.firing:
        for moment in range(since, NOW + 1, MINUTE):
            yield "ALERTS", f',alertname="{name}",alertstate="firing",severity="{severity}"', moment, 1


def _counters(situation: Situation) -> Iterator[tuple[str, str, int, float]]:
    """Whole orders and placements, as a shop has them."""
    placed = attempts = failed = 0.0
    for moment in range(NOW - 3 * HOUR, NOW + 1, MINUTE):
        late = moment > ENDED
        orders, failing = situation.orders[late] / 60, situation.failing[late]
        placed, attempts = placed + orders, attempts + orders / (1 - failing)
        failed += orders / (1 - failing) * failing
        yield "magento_orders_placed_total", ',store="de",method="card"', moment, int(placed)
        yield "magento_checkout_placement_attempts_total", ',store="de"', moment, int(attempts)
        yield "magento_checkout_failed_placements_total", ',store="de"', moment, int(failed)


def _usual(usual: Callable[[float], float]) -> Iterator[tuple[str, str, int, float]]:
    for moment in range(NOW - 8 * DAY, NOW + 1, 5 * MINUTE):
        for window, seconds in (("30m", HOUR // 2), ("2h", 2 * HOUR)):
            minutes = range(moment - seconds, moment, MINUTE)
            expected = sum(usual(minute) for minute in minutes) / 60
            yield "magento_orders_expected", f',store="de",window="{window}"', moment, expected
