"""The inputs of the drought alerts' tests, and the situations in which a shop is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from alerts.lib.cases import HOUR, MINUTE, At, Gone, Hourly, Input, Level, Line, Until
from exporter.collectors import checkout, deployment, expected_orders
from promql.metrics import ALERTS as FIRING
from promql.metrics import Selectable


def orders_in(series: Selectable, window: str, *, bad: float, good: float, edge: float | None) -> Input:
    """Return the orders of a window."""
    return Input(
        series,
        labels={"window": window},
        bad=At(bad),
        good=At(good),
        edge=None if edge is None else At(edge),
    )


def carts(*, bad: float, good: float, needed: bool = True) -> Input:
    """Return the carts that guests fill."""
    return Input(
        checkout.STAGE_REACHED,
        labels={"stage": "cart", "customer": "guest"},
        bad=Hourly(bad),
        good=Hourly(good),
        needed=needed,
    )


def closure() -> dict[str, Input]:
    """Return more windows, of a shop that sells as usual, and what can close it, none of it there."""
    windows = [("30m", 25), ("6h", 150), ("1d", 600)]
    causes = {
        "backends_sick": {"alertname": "MagentoBackendsSick"},
        "database_down": {"alertname": "MagentoBackendDown", "source": "database"},
        "varnish_down": {"alertname": "MagentoBackendDown", "source": "varnish"},
    }
    return {
        **{
            f"{name}_{window}": Input(
                series, labels={"window": window}, bad=At(usual), good=At(usual), needed=False
            )
            for window, usual in windows
            for name, series in (("recent", expected_orders.RECENT), ("expected", expected_orders.EXPECTED))
        },
        "maintenance": Input(deployment.MAINTENANCE, bad=Gone(), good=Gone(), needed=False, shared=True),
        **{
            name: Input(
                FIRING,
                labels={"alertstate": "firing", **cause},
                bad=Gone(),
                good=Gone(),
                needed=False,
                shared=True,
            )
            for name, cause in causes.items()
        },
    }


_ENOUGH: Final = At(20)
_HALF_AN_HOUR_AFTER: Final = Until(
    HOUR,
    At(25),
    Until(90 * MINUTE, Line(75, -50), Until(2 * HOUR, At(0), Until(150 * MINUTE, Line(-100, 50), At(25)))),
)
"""The orders of half an hour, if nobody could buy from the first to the second hour of the test."""
_STOPS: Final = Until(2 * HOUR, At(25), Until(150 * MINUTE, Line(125, -50), At(0)))


def _between(begin: float, end: float, otherwise: Level) -> Level:
    """Return a level that is 1 from one minute to another, and ``otherwise`` before and after."""
    return Until(begin * MINUTE, otherwise, Until(end * MINUTE, At(1), otherwise))


EXPLAINED: Final[Mapping[str, Mapping[str, Level]]] = {
    "the backends were sick for an hour, and are repaired": {
        "recent_2h": _ENOUGH,
        "recent_30m": _HALF_AN_HOUR_AFTER,
        "backends_sick": _between(62, 124, Gone()),
    },
    "the database was down for an hour, and is back": {
        "recent_2h": _ENOUGH,
        "recent_30m": _HALF_AN_HOUR_AFTER,
        "database_down": _between(62, 124, Gone()),
    },
    "the shop was in maintenance for a day, and sells again": {
        "recent_2h": Until(2 * HOUR, At(0), Line(-50, 25)),
        "expected_2h": At(50),
        "recent_30m": Until(2 * HOUR, At(0), Until(150 * MINUTE, Line(-100, 50), At(25))),
        "recent_6h": Until(2 * HOUR, At(0), Line(-50, 25)),
        "recent_1d": Until(2 * HOUR, At(0), Line(-50, 25)),
        "maintenance": Until(2 * HOUR, At(1), At(0)),
    },
}
"""Nobody could buy, another alert named the cause, and it is over."""

UNEXPLAINED: Final[Mapping[str, Mapping[str, Level]]] = {
    "it does not sell 45 minutes after a maintenance": {
        "recent_2h": _ENOUGH,
        "recent_30m": At(0),
        "recent_6h": Until(136 * MINUTE, At(0), Line(-56.7, 25)),
        "maintenance": Until(136 * MINUTE, At(1), At(0)),
    },
    "a deployment of two minutes": {
        "recent_2h": _ENOUGH,
        "recent_30m": _STOPS,
        "maintenance": _between(148, 150, At(0)),
    },
    "the backends were sick for four minutes": {"backends_sick": _between(90, 94, Gone())},
    "the exporter does not reach Varnish": {"varnish_down": _between(30, 180, Gone())},
}
"""The shop was closed for moments, or long ago, or customers did not notice."""
