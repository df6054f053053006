"""Is the shop selling? Compared with its own past weeks, and only when chance is no explanation.

The surprise of seeing only ``k`` orders where ``E`` were to be expected is bounded by
``E - k + k ln(k / E)`` nats, the exponent of Chernoff's bound for a Poisson count. A
rule asks for surprise *and* effect: significance alone pages a busy shop for small
drifts, effect alone a small shop for luck. At night ``E`` is small, so is the surprise.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.alertmanager import NOBODY_BUYS
from alerts.lib.cases import DAY, HOUR, MINUTE, Ago, At, Cases, Gone, Hourly, Input, Level, Line, Until
from alerts.lib.model import Alert, Category, NoData, Panel, Severity, Team, Unit
from alerts.lib.recording import Recording
from alerts.lib.surprise import surprise
from alerts.thresholds import critical, warning
from exporter.collectors import checkout, deployment, expected_orders, orders, placements
from exporter.core.baseline import WINDOWS
from promql.expr import ALERTS as FIRING
from promql.selector import Selectable, increase, select, total

_STORE: Final = "on (job, instance, store)"
_DE: Final = {"store": "de"}


def _rule(name: str, expression: str, labels: tuple[str, ...], about: str) -> Recording:
    return Recording(name=name, expression=expression, labels=labels, group="selling", help=about)


_RECENT: Final = select(expected_orders.RECENT)
_EXPECTED: Final = select(expected_orders.EXPECTED)

ORDERS_SURPRISE: Final = _rule(
    "magento:orders_surprise:nats",
    f"{surprise(_RECENT, _EXPECTED)} and {_RECENT} < {_EXPECTED}",
    ("store", "window"),
    "How surprising it is that so few orders came in the window, in nats; absent when there are enough.",
)


def _said_to_be_closed() -> str:
    """Return the alerts that fire and say at its source why nobody buys."""
    plain = "|".join(name for name, source in NOBODY_BUYS.items() if not source)
    parts = [select(FIRING, alertname=f"=~{plain}", alertstate="firing")]
    parts += [
        select(FIRING, alertname=name, source=source, alertstate="firing")
        for name, source in NOBODY_BUYS.items()
        if source
    ]
    return "\n  or ".join(parts)


SHOP_CLOSED: Final = _rule(
    "magento:shop_closed:bool",
    total(
        f"\n  {select(deployment.MAINTENANCE)} == 1\n  or {_said_to_be_closed()}\n  or {_RECENT} * 0\n",
        operator="max",
    ),
    (),
    "1 while the shop is in maintenance mode, or an alert says at its source why nobody buys; else 0 for "
    "every shop whose orders are known, so that the mean over a time is the share of it.",
)


def _shares_closed() -> str:
    """Return the share of each of the windows of the orders in which the shop was closed."""
    parts = [
        f'label_replace(avg_over_time({select(SHOP_CLOSED)}[{window}]), "window", "{window}", "", "")'
        for window in WINDOWS
    ]
    return "\nor ".join(parts)


CLOSED_SHARE: Final = _rule(
    "magento:shop_closed:ratio",
    _shares_closed(),
    ("window",),
    "Share of the time of each window of magento_orders_recent in which the shop was closed.",
)

_CLOSED_AT_MOST: Final = 0.1
"""The share of a window in which the shop may have been closed for the window to count. What was not sold
meanwhile is then too little to matter; a deployment of minutes blinds none."""

SURPRISE_OPEN: Final = _rule(
    "magento:orders_surprise_open:nats",
    f"{select(ORDERS_SURPRISE)}\n"
    f"unless on (job, instance, window) {select(CLOSED_SHARE)} > {_CLOSED_AT_MOST}",
    ("store", "window"),
    "magento:orders_surprise:nats of the windows in which the shop was not closed for more than a tenth of "
    "the time: otherwise it was said already why there were no orders.",
)

_LAST: Final = select(orders.LAST_ORDER)
_USUAL_HOUR: Final = f"{total(select(expected_orders.EXPECTED, window='1d'), 'store', operator='max')} / 24"
_SILENT_HOUR: Final = f"({_USUAL_HOUR}\n  and {_STORE} time() - {_LAST} > 1d)"
"""An hour's share of a usual day, in a store without an order for a day. The usual day is the one that ended:
sooner it would reach back to before the last order, and count the Friday that was sold well on Saturday."""

_MISSED: Final = "magento:orders_expected:since_last_order"
ORDERS_MISSED: Final = _rule(
    _MISSED,
    f"{_SILENT_HOUR}\n+ (max_over_time({_MISSED}[12h] offset 1h) or {_USUAL_HOUR} * 0)",
    ("store",),
    "Orders that were to be expected since a day after the last order: what the rule said an hour "
    "ago, and an hour's share of a usual day. An order ends it for a day, longer than it remembers; a "
    "gap of less than twelve hours it survives. A sum over two weeks would cost seconds with many stores.",
)


def _per_method(window: str) -> str:
    return total(increase(orders.PLACED, window), "store", "method")


def _week(hourly: Recording, before: str = "") -> str:
    """Return a week as the sum of its hours, which tile it: a sample an hour instead of every scrape."""
    offset = f" offset {before}" if before else ""
    return f"sum_over_time({select(hourly)}[1w:1h]{offset})"


METHOD_HOUR: Final = _rule(
    "magento:payment_method_orders:increase1h",
    _per_method("1h"),
    ("store", "method"),
    "Orders of the last hour by payment method.",
)
METHOD_RECENT_6H: Final = _rule(
    "magento:payment_method_orders:increase6h",
    _per_method("6h"),
    ("store", "method"),
    "Orders of the last six hours by payment method.",
)
METHOD_RECENT_1D: Final = _rule(
    "magento:payment_method_orders:increase1d",
    _per_method("1d"),
    ("store", "method"),
    "Orders of the last day by payment method.",
)
_A_WEEK_AGO: Final = f"{select(METHOD_RECENT_6H)} offset 1w"
METHOD_USUAL_6H: Final = _rule(
    "magento:payment_method_orders:usual6h",
    f"({select(METHOD_RECENT_6H)} offset 1d < {_A_WEEK_AGO}) or {_A_WEEK_AGO}",
    ("store", "method"),
    "The fewer of the orders in the same six hours of yesterday and of a week ago, by payment method.",
)
_MEAN_DAY: Final = f"{_week(METHOD_HOUR, '1d')} / 7"
METHOD_USUAL_1D: Final = _rule(
    "magento:payment_method_orders:usual1d",
    f"({select(METHOD_RECENT_1D)} offset 1w < {_MEAN_DAY}) or {_MEAN_DAY}",
    ("store", "method"),
    "The fewer of the orders on the same day a week ago and on the mean day of the week before the last day, "
    "by payment method.",
)


def _quiet(recent: Recording, usual: Recording, window: str) -> str:
    """Return the surprise at a method's silence where only a fifth of the usual is left."""
    seen, expected = select(recent), select(usual)
    effect = critical(limits.ORDERS_AGAINST_EXPECTED)
    found = f"({surprise(seen, expected)} and {seen} < {effect} * {expected})"
    return f'label_replace({found}, "window", "{window}", "", "")'


_STAGE_BEFORE: Final = {
    "shipping_address": "cart",
    "shipping_method": "shipping_address",
    "payment_method": "shipping_method",
    "order": "payment_method",
}
"""The checkout stage that comes before each; placement attempts are a lower bound and left out."""


def _entered(stages: Recording) -> str:
    """Return, for each stage, the carts that reached the one before it."""
    parts = [
        f'label_replace({select(stages, stage=before)}, "stage", "{stage}", "", "")'
        for stage, before in _STAGE_BEFORE.items()
    ]
    return "\nor ".join(parts)


STAGES_HOUR: Final = _rule(
    "magento:checkout_stage_reached:increase1h",
    total(increase(checkout.STAGE_REACHED, "1h"), "store", "stage"),
    ("store", "stage"),
    "Carts that reached each checkout stage in the last hour.",
)
STAGES_WEEK: Final = _rule(
    "magento:checkout_stage_reached:increase1w",
    _week(STAGES_HOUR, "1h"),
    ("store", "stage"),
    "Carts that reached each checkout stage in the week before the last hour.",
)
STAGE_EXPECTED: Final = _rule(
    "magento:checkout_stage_expected:increase1h",
    f"({_entered(STAGES_HOUR)})\n* {select(STAGES_WEEK)}\n/ (({_entered(STAGES_WEEK)}) > 0)",
    ("store", "stage"),
    "Carts that should have reached the stage in the last hour: those that reached the one before, "
    "times the share of a usual week.",
)

_STILL_REACHED: Final = 0.5
"""A step that half as many carts reach as a week ago works, however many more reach the one before."""

_STAGES_BEFORE: Final = f"({select(STAGES_HOUR)} offset 1w or {select(STAGES_HOUR)} offset 1d)"


REVENUE_HOUR: Final = _rule(
    "magento:orders_revenue_base:increase1h",
    total(increase(orders.REVENUE, "1h"), "store"),
    ("store",),
    "Value of the orders of the last hour in base currency.",
)
VALUE_6H: Final = _rule(
    "magento:order_value_base:mean6h",
    f"{total(increase(orders.REVENUE, '6h'), 'store')} / ({total(select(METHOD_RECENT_6H), 'store')} > 0)",
    ("store",),
    "Mean value of an order in the last six hours.",
)
VALUE_1W: Final = _rule(
    "magento:order_value_base:mean1w",
    f"{_week(REVENUE_HOUR)} / ({total(_week(METHOD_HOUR), 'store')} > 0)",
    ("store",),
    "Mean value of an order in the last week.",
)

RECORDINGS: Final = (
    ORDERS_SURPRISE,
    SHOP_CLOSED,
    CLOSED_SHARE,
    SURPRISE_OPEN,
    ORDERS_MISSED,
    METHOD_HOUR,
    METHOD_RECENT_6H,
    METHOD_RECENT_1D,
    METHOD_USUAL_6H,
    METHOD_USUAL_1D,
    STAGES_HOUR,
    STAGES_WEEK,
    STAGE_EXPECTED,
    REVENUE_HOUR,
    VALUE_6H,
    VALUE_1W,
)

_TRAFFIC: Final = (
    f"{_STORE} ({total(increase(checkout.STAGE_REACHED, '30m', stage='cart'), 'store')} > {_STORE} "
    f"{warning(limits.TRAFFIC_CARTS_PER_EXPECTED_ORDER):g} * "
    f"{total(select(expected_orders.EXPECTED, window='2h'), 'store', operator='max')} / 4)"
)
"""Stores in which carts are filled as if orders were to follow: half an hour of carts against a quarter of
two hours' orders. Half an hour, because that is the shortest time after which orders count as missing: with
a longer one the last customers' carts would hide for a while that nobody comes any more."""


def shortfall(share: float, windows: str = "=~.+") -> str:
    """Return the largest surprise of a store over the open windows in which less than ``share`` came."""
    effect = f"{select(SURPRISE_OPEN, window=windows)} and {_RECENT} < {share} * {_EXPECTED}"
    return total(effect, "store", operator="max")


_selling: Final = partial(
    Alert, severity=Severity.WARNING, team=Team.COMMERCE, service="selling", category=Category.BUSINESS
)


def _orders(series: Selectable, window: str, *, bad: float, good: float, edge: float | None) -> Input:
    return Input(
        series,
        labels={"window": window},
        bad=At(bad),
        good=At(good),
        edge=None if edge is None else At(edge),
    )


def _carts(*, bad: float, good: float, needed: bool = True) -> Input:
    return Input(
        checkout.STAGE_REACHED,
        labels={"stage": "cart", "customer": "guest"},
        bad=Hourly(bad),
        good=Hourly(good),
        needed=needed,
    )


def _closure() -> dict[str, Input]:
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
"""The orders of half an hour where nobody could buy for an hour, until two hours from the start."""
_STOPS: Final = Until(2 * HOUR, At(25), Until(150 * MINUTE, Line(125, -50), At(0)))


def _between(begin: float, end: float, otherwise: Level) -> Level:
    """Return what is 1 from one minute to another, else as said."""
    return Until(begin * MINUTE, otherwise, Until(end * MINUTE, At(1), otherwise))


_EXPLAINED: Final[Mapping[str, Mapping[str, Level]]] = {
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
"""Nobody bought, it was said why, and it is over."""

_UNEXPLAINED: Final[Mapping[str, Mapping[str, Level]]] = {
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
"""What closes the shop for moments, was over, or says nothing about customers."""

_CLOSED: Final = Until(14 * HOUR, At(20), Until(24 * HOUR, Line(48, -2), At(0)))
"""The usual day of a shop that takes its 20 orders from eight to six and rests at weekends, from Friday at
six on: the day that ended is a full one until Saturday at eight, an empty one from Saturday at six."""

_WEEKDAYS: Final = Until(5 * DAY, Hourly(5), Until(7 * DAY, Hourly(0), Until(12 * DAY, Hourly(5), Hourly(0))))
"""A counter that stands still at weekends, from a Monday on."""

ALERTS: Final = (
    _selling(
        name="MagentoOrderDroughtWithTraffic",
        severity=Severity.CRITICAL,
        value=shortfall(critical(limits.ORDERS_AGAINST_EXPECTED)),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        guard="and " + _TRAFFIC,
        scope="store",
        for_=10 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="Customers fill carts, but orders do not come.",
        description="{{ $labels.store }} has less than a fifth of its usual orders "
        '(surprise {{ $value | printf "%.1f" }} nats, limit %limit%). Carts are filled as usual.',
        impact="Customers want to buy and cannot. Every minute is lost revenue.",
        first_action="Place a test order with each payment method; look at the checkout funnel for the step "
        "that fails.",
        why="Less than a fifth of the usual, and once in 40,000 windows by chance; docs/alerts.md "
        "has the simulated number of false pages by size of shop.",
        panel=Panel("magento-overview", "selling"),
        cases=Cases(
            entity=_DE,
            inputs={
                "recent_2h": _orders(expected_orders.RECENT, "2h", bad=2, good=20, edge=3),
                "expected_2h": _orders(expected_orders.EXPECTED, "2h", bad=18, good=5, edge=18),
                "carts": _carts(bad=12, good=7),
                **_closure(),
            },
            fires=_UNEXPLAINED,
            silent={
                **_EXPLAINED,
                "a fifth of the usual is left": {"recent_2h": At(12), "expected_2h": At(60)},
                "too small a shop to tell": {"recent_2h": At(0), "expected_2h": At(10)},
            },
            warm_up=2 * HOUR,
            step=2 * MINUTE,
            reaches_limit_after=12 * MINUTE,
            windows_full_after=30 * MINUTE,
            expected_description="de has less than a fifth of its usual orders (surprise 11.6 nats, limit "
            "10.6). Carts are filled as usual.",
        ),
    ),
    _selling(
        name="MagentoOrderDroughtNoTraffic",
        severity=Severity.CRITICAL,
        value=shortfall(critical(limits.ORDERS_AGAINST_EXPECTED)),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        guard="unless " + _TRAFFIC,
        scope="store",
        for_=10 * MINUTE,
        keep_firing_for=15 * MINUTE,
        summary="Nobody buys, and nobody even fills a cart.",
        description="{{ $labels.store }} has less than a fifth of its usual orders "
        '(surprise {{ $value | printf "%.1f" }} nats, limit %limit%). Hardly any carts are filled.',
        impact="Customers do not reach the shop at all, or leave at the first page.",
        first_action="Open the shop from outside, by its public name; then check DNS, certificate, CDN and "
        "web servers.",
        why="As for the drought with traffic; without carts the cause lies before the checkout.",
        panel=Panel("magento-overview", "selling"),
        cases=Cases(
            entity=_DE,
            inputs={
                "recent_2h": _orders(expected_orders.RECENT, "2h", bad=2, good=20, edge=3),
                "expected_2h": _orders(expected_orders.EXPECTED, "2h", bad=18, good=5, edge=18),
                "carts": _carts(bad=7, good=12, needed=False),
                **_closure(),
            },
            silent={**_EXPLAINED, "too small a shop to tell": {"recent_2h": At(0), "expected_2h": At(10)}},
            warm_up=2 * HOUR,
            step=5 * MINUTE,
            reaches_limit_after=15 * MINUTE,
            expected_description="de has less than a fifth of its usual orders (surprise 11.6 nats, limit "
            "10.6). Hardly any carts are filled.",
        ),
    ),
    _selling(
        name="MagentoOrdersLow",
        value=shortfall(warning(limits.ORDERS_AGAINST_EXPECTED), "!=30m"),
        threshold=limits.SALES_LOW_NATS,
        unit=Unit.NATS,
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Fewer orders than usual.",
        description="{{ $labels.store }} has less than half of its usual orders "
        '(surprise {{ $value | printf "%.1f" }} nats, limit %limit%).',
        impact="Part of the customers may be unable to buy: one browser, one method, one country.",
        first_action="Compare payment methods, guests and customers, and the funnel's steps with last week.",
        why="Half of the usual and beyond chance; also the eve of a holiday looks so.",
        panel=Panel("magento-overview", "selling"),
        cases=Cases(
            entity=_DE,
            inputs={
                "recent": _orders(expected_orders.RECENT, "6h", bad=15, good=60, edge=25),
                "expected": _orders(expected_orders.EXPECTED, "6h", bad=60, good=60, edge=60),
            },
            silent={"half of the usual is left": {"recent": At(100), "expected": At(200)}},
            warm_up=6 * HOUR,
            step=5 * MINUTE,
            needs_all_inputs=False,
            expected_description="de has less than half of its usual orders (surprise 24.2 nats, limit 14).",
        ),
    ),
    _selling(
        name="MagentoNoOrdersForLong",
        value=select(ORDERS_MISSED),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        scope="store",
        for_=15 * MINUTE,
        summary="A small shop has had no order for far too long.",
        description="Since the last order of {{ $labels.store }}, "
        '{{ $value | printf "%.1f" }} were to '
        "be expected by its own past weeks (limit %limit%).",
        impact="The shop probably cannot be bought from, and has not been for more than a day.",
        first_action="Place a test order.",
        why="Shops with a few orders a day are too small for the drought alerts; after this silence chance "
        "is ruled out. Each hour of the silence counts what that hour of the week usually brings, so a "
        "shop that closes at weekends is not missed on Sunday.",
        panel=Panel("magento-checkout", "last_order"),
        cases=Cases(
            entity=_DE,
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
            expected_description="Since the last order of de, 10.8 were to be expected by its own past "
            "weeks (limit 10.6).",
        ),
    ),
    _selling(
        name="MagentoPaymentMethodQuiet",
        service="payment",
        category=Category.CHECKOUT,
        value=total(
            f"{_quiet(METHOD_RECENT_6H, METHOD_USUAL_6H, '6h')}\nor "
            f"{_quiet(METHOD_RECENT_1D, METHOD_USUAL_1D, '1d')}",
            "store",
            "method",
            operator="max",
        ),
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=30 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="A payment method has gone quiet.",
        description="Orders with {{ $labels.method }} in {{ $labels.store }} have all but stopped "
        '(surprise {{ $value | printf "%.1f" }} nats, limit %limit%).',
        impact="Customers who want to pay this way cannot; some choose another method, some leave.",
        first_action="Place a test order with this method; look at the provider's status page.",
        why="Compared with the method's own yesterday, week and day a week ago, whichever had least: rare "
        "methods never page, nor does one that nobody uses at weekends.",
        panel=Panel("magento-checkout", "methods"),
        cases=Cases(
            entity={"store": "de", "method": "paypal_express"},
            inputs={"placed": Input(orders.PLACED, bad=Hourly(0), good=Hourly(0.5), edge=Hourly(0.02))},
            silent={"an invoice that companies use on weekdays": {"placed": _WEEKDAYS}},
            fires={
                "a method that is used often, for ten hours": {
                    "placed": Until(12 * DAY + 21 * HOUR, Hourly(3), Hourly(0))
                }
            },
            warm_up=12 * DAY,
            step=HOUR,
            windows_full_after=2 * HOUR,
            reaches_limit_after=23 * HOUR,
            expected_description="Orders with paypal_express in de have all but stopped (surprise 12.0 "
            "nats, limit 10.6).",
        ),
    ),
    _selling(
        name="MagentoCheckoutStageFailing",
        severity=Severity.CRITICAL,
        service="checkout",
        category=Category.CHECKOUT,
        value=f"{surprise(select(STAGES_HOUR), select(STAGE_EXPECTED))} and "
        f"{select(STAGES_HOUR)} < {critical(limits.FUNNEL_STAGE_RATIO)} * {select(STAGE_EXPECTED)}",
        threshold=critical(limits.DROUGHT_SURPRISE_NATS),
        unit=Unit.NATS,
        guard=f"unless on (job, instance, store, stage) "
        f"{select(STAGES_HOUR)} > {_STILL_REACHED} * {_STAGES_BEFORE}",
        scope="store",
        for_=10 * MINUTE,
        keep_firing_for=15 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Customers do not get past a step of the checkout.",
        description="Hardly anybody in {{ $labels.store }} reaches the step {{ $labels.stage }} any more, "
        'though the step before is (surprise {{ $value | printf "%.1f" }} nats, limit %limit%).',
        impact="Customers are stopped on their way to paying.",
        first_action="Go through the checkout to this step with the browser's console open.",
        why="The share that passes is compared with the shop's own week, so a step that is always hard does "
        "not fire. A broken step loses its own count, too: while half as many reach it as in the same hour a "
        "week ago (in the first week: yesterday), it is bots that fill carts, and nobody is woken.",
        panel=Panel("magento-checkout", "funnel"),
        cases=Cases(
            entity={"store": "de", "stage": "payment_method"},
            inputs={
                "stage": Input(
                    checkout.STAGE_REACHED,
                    labels={"customer": "guest"},
                    bad=Hourly(0.5),
                    good=Hourly(16),
                    edge=Hourly(2),
                ),
                "stage_before": Input(
                    checkout.STAGE_REACHED,
                    labels={"customer": "guest", "stage": "shipping_method"},
                    bad=Hourly(20),
                    good=Hourly(20),
                ),
            },
            silent={
                "a step that few ever pass": {"stage": Hourly(1)},
                "bots fill carts and go no further": {
                    "stage": Hourly(16),
                    "stage_before": Until(26 * HOUR, Hourly(20), Hourly(660)),
                },
            },
            warm_up=26 * HOUR,
            step=10 * MINUTE,
            needs_all_inputs=False,
            reaches_limit_after=50 * MINUTE,
            expected_description="Hardly anybody in de reaches the step payment_method any more, though the "
            "step before is (surprise 13.7 nats, limit 10.6).",
        ),
    ),
    _selling(
        name="MagentoCarding",
        service="payment",
        category=Category.SECURITY,
        value=total(increase(placements.FAILED, "10m"), "store"),
        threshold=warning(limits.CARDING_FAILURES),
        guard=f"and {_STORE} ({total(increase(placements.FAILED, '10m'), 'store')} > {_STORE} "
        f"{limits.CARDING_FACTOR:g} * {total(increase(placements.FAILED, '1d', before='1h'), 'store')} / "
        f"144)",
        scope="store",
        for_=5 * MINUTE,
        keep_firing_for=90 * MINUTE,
        no_data=NoData.OPTIONAL,
        summary="Stolen cards are probably being tried out in the checkout.",
        description='{{ $value | printf "%.0f" }} attempts to place an order failed in {{ $labels.store }} '
        "in ten minutes (limit %limit%), far more than usual.",
        impact="Each attempt costs a gateway fee; chargebacks follow, and the gateway may block the shop.",
        first_action="Look at the latest guest carts: one amount, one address or one network? Turn on "
        "reCAPTCHA.",
        why="People give up after a few attempts. Thirty failures in ten minutes, five times the usual, are "
        "a program. It is kept while the hour of MagentoFailedPlacementsUnusual remembers the attempts: card "
        "testers come back, and nobody needs a second ticket about them. In an installation's first hour "
        "it is silent: nothing usual is known yet.",
        panel=Panel("magento-checkout", "failed_placements"),
        cases=Cases(
            entity=_DE,
            inputs={"failed": Input(placements.FAILED, bad=Hourly(210), good=Hourly(6), edge=Hourly(174))},
            silent={"a shop with as many failures every day": {"failed": Hourly(210)}},
            warm_up=26 * HOUR,
            step=5 * MINUTE,
            reaches_limit_after=5 * MINUTE,
            expected_description="35 attempts to place an order failed in de in ten minutes (limit 30), far "
            "more than usual.",
        ),
    ),
    _selling(
        name="MagentoOrderValueUnusual",
        value=f"exp(abs(ln({select(VALUE_6H)} / ({select(VALUE_1W)} > 0))))",
        threshold=warning(limits.ORDER_VALUE_FACTOR),
        unit=Unit.FACTOR,
        guard=f"and {_STORE} {total(increase(orders.PLACED, '6h'), 'store')} > 10",
        scope="store",
        for_=15 * MINUTE,
        keep_firing_for=30 * MINUTE,
        summary="Orders are worth far more or far less than usual.",
        description="The mean order of {{ $labels.store }} in the last six hours is "
        '{{ $value | printf "%.1f" }} times as large, or as small, as that of the week (limit %limit%).',
        impact="A wrong price, discount or currency sells goods at a loss; or somebody orders with stolen "
        "cards.",
        first_action="Look at the latest orders: which product or coupon makes the difference?",
        why="The mean of ten orders and more does not leave a third to three times the week's without a "
        "cause.",
        panel=Panel("magento-checkout", "order_value"),
        cases=Cases(
            entity=_DE,
            inputs={
                "revenue": Input(
                    orders.REVENUE,
                    labels={"currency": "EUR"},
                    bad=Hourly(1000),
                    good=Hourly(200),
                    edge=Hourly(700),
                ),
                "orders": Input(orders.PLACED, labels={"method": "checkmo"}, bad=Hourly(4), good=Hourly(4)),
            },
            silent={"hardly any orders": {"orders": Hourly(1)}},
            warm_up=2 * DAY,
            step=20 * MINUTE,
            windows_full_after=2 * HOUR,
            needs_all_inputs=False,
            reaches_limit_after=260 * MINUTE,
            clears_after=HOUR,
            expected_description="The mean order of de in the last six hours is 3.2 times as large, or as "
            "small, as that of the week (limit 3).",
        ),
    ),
    _selling(
        name="MagentoMaintenanceForgotten",
        severity=Severity.CRITICAL,
        team=Team.PLATFORM,
        service="storefront",
        value=select(deployment.MAINTENANCE),
        op="==",
        threshold=1,
        for_=int(critical(limits.MAINTENANCE_SECONDS)),
        no_data=NoData.OPTIONAL,
        maintenance=False,
        summary="The shop is in maintenance mode, and has been for half an hour.",
        description="{{ $labels.instance }} answers every visitor with 503: var/.maintenance.flag is there.",
        impact="Nobody can buy.",
        first_action="Ask whether a deployment is running; if none is, bin/magento maintenance:disable.",
        why="Deployments take minutes. For a longer planned window, set a silence with its end.",
        panel=Panel("magento-overview", "maintenance"),
        cases=Cases(
            inputs={"maintenance": Input(deployment.MAINTENANCE, bad=At(1), good=At(0))},
            expected_description="shop:9816 answers every visitor with 503: var/.maintenance.flag is there.",
        ),
    ),
)
