"""A small shop has had no order for far too long."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, Ago, At, Cases, Gone, Input, Line, Until
from alerts.lib.model import Panel, Unit
from alerts.selling.common import DE, rule, selling
from alerts.thresholds import critical
from exporter.collectors import expected_orders, orders
from exporter.core.metrics import Kind
from promql.expr import age, max_by, over_time, seconds, series
from promql.metrics import STORE, External

_LAST: Final = series(orders.LAST_ORDER)
_USUAL_HOUR: Final = max_by(series(expected_orders.EXPECTED, window="1d"), *STORE) / 24
_SILENT_HOUR: Final = _USUAL_HOUR.only_if(age(_LAST) > seconds("1d"), on=STORE)
"""An hour's share of a usual day, in a store without an order for a day. The usual day is the last 24 hours.
Within a day after the last order, they would include hours before that order."""

_ITSELF: Final = External(
    "magento:orders_expected:since_last_order", Kind.GAUGE, "the rule's own past", ("store",)
)
ORDERS_MISSED: Final = rule(
    _ITSELF.name,
    _SILENT_HOUR + over_time("max", series(_ITSELF).before("1h")["12h"]).or_else(_USUAL_HOUR * 0),
    "Orders expected since a day after the last order: the value of an hour ago, and an hour's share of a "
    "usual day. It goes on after gaps of less than twelve hours. An order ends it for a day, which is longer "
    "than those twelve hours. A sum over two weeks would cost seconds with many stores.",
)


RECORDINGS: Final = (ORDERS_MISSED,)

_CLOSED: Final = Until(14 * HOUR, At(20), Until(24 * HOUR, Line(48, -2), At(0)))
"""The orders expected in a day, from Friday at six on, in a shop that sells from eight to six on weekdays.
The last 24 hours hold all 20 orders until Saturday at eight, and none from Saturday at six."""

ALERTS: Final = (
    selling(
        name="MagentoNoOrdersForLong",
        value=series(ORDERS_MISSED),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        scope="store",
        for_=15 * MINUTE,
        summary="A small shop has had no order for far too long.",
        description='Since the last order of {{ $labels.store }}, {{ $value | printf "%.1f" }} orders were '
        "expected from its own past weeks (limit %limit%).",
        impact="Customers probably cannot order in this shop, and could not for more than a day.",
        first_action="Place a test order.",
        why="Shops with a few orders a day are too small for the drought alerts. After such a "
        "long time without orders, it is not chance. Each hour counts as many orders as that "
        "hour of the week usually brings. So a shop that closes at weekends does not fire on "
        "Sunday.",
        panel=Panel("magento-checkout", "last_order"),
        cases=Cases(
            entity=DE,
            inputs={
                "last_order": Input(orders.LAST_ORDER, bad=At(0), good=Ago(HOUR), edge=At(2 * HOUR)),
                "expected": Input(
                    expected_orders.EXPECTED,
                    labels={"window": "1d"},
                    bad=Until(30 * HOUR, At(6), Until(34 * HOUR, Gone(), At(6))),
                    good=At(6),
                ),
            },
            silent={
                "a busier shop, within the day": {"last_order": At(48 * HOUR), "expected": At(600)},
                "a shop that sells 20 a day and closes at weekends": {
                    "last_order": At(0),
                    "expected": _CLOSED,
                },
                "an order came between": {
                    "last_order": Until(36 * HOUR, At(0), At(36 * HOUR)),
                    "expected": At(18),
                },
            },
            warm_up=HOUR,
            reaches_limit_after=69 * HOUR,
            windows_full_after=0,
            step=15 * MINUTE,
            needs_all_inputs=False,
            expected_description="Since the last order of de, 10.8 orders were expected from its own past "
            "weeks (limit 10.6).",
        ),
    ),
)
