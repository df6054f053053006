"""Shops: who buys what when, minute by minute, and the series that the exporter shows of it.

Demand has a weekly shape, a level that moves from week to week, and hours that vary more than chance
alone. The conversion from cart to order varies from hour to hour as well. Events change some of it
for some time: a campaign, a holiday, a deployment, a fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporter.collectors.expected_orders.baseline import BUCKET, HISTORY, WEEKS, WINDOWS
from exporter.magento import objective
from tests.system.simulator.promql import MINUTE
from tests.system.simulator.series import Bools, Floats, Store

Numbers = NDArray[np.int64]

DAY: Final = 1_440
WEEK: Final = 7 * DAY
PAST: Final = HISTORY // MINUTE
"""Minutes of orders before the first sample of a series, for the expectation to look at."""

ORDER_LAG: Final = 1
"""Minutes after which an order shows: the exporter's refresh, the scrape, the rule's evaluation."""

ATTEMPT_LAG: Final = 3
"""The same for an attempt, which is settled after two minutes."""

EXPECTED_LIFETIME: Final = 300
STAGES: Final[Mapping[str, float]] = {
    "cart": 6.0,
    "shipping_address": 2.6,
    "shipping_method": 2.0,
    "payment_method": 1.6,
}
"""Carts that reach a stage, for one order."""


def consumers(hour: Floats, day: Numbers) -> Floats:
    """Return the demand of people at home: quiet nights, busy evenings, a fuller Sunday."""
    days = np.array((1.0, 0.98, 0.97, 0.95, 0.9, 0.95, 1.2))
    awake = np.where(hour > 7, np.sin(np.clip((hour - 7) / 17, 0, 1) * np.pi), 0.0)
    evening = 0.6 * np.exp(-((hour - 20.5) ** 2) / 6)
    return np.asarray((0.08 + np.maximum(awake, 0) ** 1.3 + evening) * days[day])


def weekenders(hour: Floats, day: Numbers) -> Floats:
    """Return the demand of a shop that sells most at the weekend."""
    days = np.array((0.6, 0.6, 0.6, 0.7, 1.0, 1.8, 1.9))
    return np.asarray(consumers(hour, day) * days[day])


def offices(hour: Floats, day: Numbers) -> Floats:
    """Return the demand of offices: weekdays from eight to six, with soft edges of half an hour."""
    soft = np.clip((hour - 7.5) * 2, 0, 1) * np.clip((18.25 - hour) * 2, 0, 1)
    return np.asarray(soft * (day < 5))


SHAPES: Final = {"consumers": consumers, "weekend": weekenders, "offices": offices}


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop as it usually is."""

    per_day: float
    shape: str = "consumers"
    stores: Mapping[str, float] = field(default_factory=lambda: {"de": 1.0})
    """The share of the orders of each store."""
    methods: Mapping[str, float] = field(
        default_factory=lambda: {"card": 0.6, "paypal": 0.25, "invoice": 0.12, "checkmo": 0.03}
    )
    declines: float = 0.05
    weekly_spread: float = 0.15
    hourly_variance: float = 0.03
    conversion_variance: float = 0.01
    decline_variance: float = 0.02
    bots: float = 0.0
    """Carts that programs fill at every hour, as a share of the carts of a mean hour."""
    by_day: tuple[str, ...] = ()
    """Methods with which people order on weekdays from eight to six only, by telephone perhaps."""
    accounts: float = 0.3
    """The share of the orders that customers with an account place."""
    accounts_variance: float = 0.02
    """By how much they vary against the others from hour to hour; from week to week they do as orders do."""
    sundays: bool = False
    """Whether the exporter expects no more of a public holiday than of a Sunday."""
    zone: str = "Europe/Berlin"
    value: float = 80.0


@dataclass(frozen=True, slots=True)
class Event:
    """What changes from the minute ``first`` up to ``end``; minutes count from the first sample on."""

    first: int
    end: int
    demand: float = 1.0
    """Factor on everybody who comes."""
    fail: float = 0.0
    """The share of the tries that fail, beside the ordinary declines."""
    dead: str = ""
    """A payment method with which nobody can pay any more, and no try is to be seen."""
    dead_tries: bool = False
    """Whether the tries with the dead method are to be seen as failures."""
    switch: float = 0.0
    """The share of its customers who take another method."""
    retries: float = 0.0
    """Further tries of each customer whose try failed."""
    stop: float = 0.0
    """The share of the customers who do not get as far as a try."""
    cards: float = 0.0
    """Tries a minute with stolen cards; all fail."""
    accounts: float = 1.0
    """Factor on how many customers with an account come for one without; with 0 nobody can log in."""
    closed: bool = False
    """Maintenance mode."""
    holiday: bool = False
    """A public holiday, as a calendar knows it."""
    stores: tuple[str, ...] = ()
    """The stores that it is about; none means all."""


@dataclass(frozen=True)
class Play:
    """A shop, what happens to it, and for how long. ``begin`` is the Unix time of the first sample."""

    shop: Shop
    begin: int
    minutes: int
    events: Sequence[Event] = ()
    seed: int = 0

    def store(self) -> Store:
        """Return the exporter's series."""
        return _Exporter(self).store()

    @cached_property
    def clock(self) -> _Clock:
        """The local time of every minute, the past included."""
        return _Clock(self.begin - PAST * MINUTE, PAST + self.minutes, ZoneInfo(self.shop.zone))

    def with_seed(self, seed: int) -> Play:
        """Return the same play with other chances."""
        return replace(self, seed=seed)


class _Clock:
    """Local hours, days and offsets of consecutive minutes."""

    def __init__(self, start: int, minutes: int, zone: ZoneInfo) -> None:
        self.start = start
        self.times = start + np.arange(minutes, dtype=np.int64) * MINUTE
        self.zone = zone
        self._changes = _changes(zone, start - 2 * HISTORY, start + (minutes + DAY) * MINUTE)
        local = self.times + self.offsets(self.times)
        self.hour = (local % 86_400) / 3_600
        self.day = (local // 86_400 + 3) % 7

    def offsets(self, times: NDArray[np.int64] | Floats) -> Numbers:
        """Return the seconds by which the clocks on the wall are ahead of UTC at each time."""
        moments = np.array([moment for moment, _ in self._changes])
        ahead = np.array([offset for _, offset in self._changes], dtype=np.int64)
        found: Numbers = ahead[np.searchsorted(moments, times, side="right") - 1]
        return found

    def weeks_ago(self, times: Floats, weeks: int) -> Floats:
        """Return the same local times some weeks ago, as ``baseline.weeks_ago`` does."""
        ahead = self.offsets(times)
        guess = times - weeks * 7 * 86_400
        return np.asarray(guess + ahead - self.offsets(guess))


def _changes(zone: ZoneInfo, begin: int, end: int) -> list[tuple[int, int]]:
    """Return (time, offset from UTC) at the beginning and at every change of the clocks, to the hour."""
    found: list[tuple[int, int]] = []
    for moment in range(begin - begin % 3_600, end + 3_600, 3_600):
        offset = zone.utcoffset(datetime.fromtimestamp(moment, zone))
        seconds = int((offset or timedelta()).total_seconds())
        if not found or found[-1][1] != seconds:
            found.append((moment, seconds))
    return found


@dataclass(slots=True)
class _Counts:
    """What happened in each minute in one store, the past included."""

    orders: dict[str, Numbers]
    attempts: Numbers
    failed: Numbers
    stages: dict[str, Numbers]
    by_account: Numbers | None = None
    """Orders of customers with an account."""

    @property
    def placed(self) -> Numbers:
        return _sum(self.orders.values())


def _sum(arrays: Iterable[Numbers]) -> Numbers:
    return np.asarray(np.sum(list(arrays), axis=0), dtype=np.int64)


class _People:
    """Who comes to a shop, and what becomes of it."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._shop = play.shop
        self._random = np.random.default_rng([play.seed, round(play.shop.per_day)])
        clock = play.clock
        minutes = len(clock.times)
        shape = SHAPES[self._shop.shape](clock.hour, clock.day)
        week = SHAPES[self._shop.shape](np.arange(WEEK) % DAY / 60, np.arange(WEEK) // DAY)
        spread = np.clip(self._random.standard_normal(minutes // WEEK + 2), -2, 2)
        level = np.repeat(1 + self._shop.weekly_spread * spread, WEEK)[:minutes]
        self._rate = self._shop.per_day * 7 * shape / week.sum() * level
        self._rate *= self._hourly(self._shop.hourly_variance)
        self._conversion = self._hourly(self._shop.conversion_variance)
        self._decline = np.clip(self._shop.declines * self._hourly(self._shop.decline_variance), 0, 0.9)

    def _hourly(self, variance: float, random: np.random.Generator | None = None) -> Floats:
        """Return a factor for each minute that changes from hour to hour, with mean 1."""
        minutes = len(self._play.clock.times)
        if not variance:
            return np.ones(minutes)
        chances = random or self._random
        return np.repeat(chances.gamma(1 / variance, variance, minutes // 60 + 1), 60)[:minutes]

    def counts(self, store: str) -> _Counts:
        """Return what happened in one store."""
        shop, random = self._shop, self._random
        share = shop.stores[store]
        if not share:
            none = np.zeros(len(self._rate), dtype=np.int64)
            return _Counts(dict.fromkeys(shop.methods, none), none, none, dict.fromkeys(STAGES, none))
        factors = _Factors(self._play, store)
        come = self._rate * share * factors.demand
        found = _Counts({}, np.zeros(len(come), dtype=np.int64), np.zeros(len(come), dtype=np.int64), {})
        for stage, carts in STAGES.items():
            bots = shop.bots * shop.per_day * share * carts / DAY if stage == "cart" else 0.0
            found.stages[stage] = random.poisson(come * carts / self._conversion + bots * ~factors.closed)
        customers = come * (1 - factors.stop)
        for method, part in shop.methods.items():
            self._pay(found, method, customers * part * self._open(method), factors)
        cards = random.poisson(factors.cards)
        found.attempts += cards
        found.failed += cards
        found.by_account = self._by_account(found.placed, factors)
        return found

    def _by_account(self, placed: Numbers, factors: _Factors) -> Numbers:
        """Return which of the orders customers with an account place; chances of their own."""
        shop, minutes = self._shop, len(placed)
        random = np.random.default_rng([self._play.seed, round(shop.per_day), 1])
        spread = np.clip(random.standard_normal(minutes // WEEK + 2), -2, 2)
        odds = (
            shop.accounts / (1 - shop.accounts) * np.repeat(1 + shop.weekly_spread * spread, WEEK)[:minutes]
        )
        odds *= self._hourly(shop.accounts_variance, random) * factors.accounts
        return random.binomial(placed, odds / (1 + odds))

    def _open(self, method: str) -> Floats | float:
        clock = self._play.clock
        if method not in self._shop.by_day:
            return 1.0
        return np.asarray((clock.day < 5) & (clock.hour >= 8) & (clock.hour < 18), dtype=np.float64)

    def _pay(self, found: _Counts, method: str, customers: Floats, factors: _Factors) -> None:
        random = self._random
        dead = factors.dead.get(method)
        alive = customers if dead is None else customers * ~dead
        others = np.zeros(len(customers))
        for other, when in factors.dead.items():
            if other != method:
                rest = 1 - self._shop.methods[other]
                moved = self._shop.methods[other] / rest * factors.switch
                others += customers * moved * when
        tries = random.poisson((alive + others) / (1 - self._decline))
        share = 1 - (1 - self._decline) * (1 - factors.fail)
        failed = random.binomial(tries, share)
        found.orders[method] = tries - failed
        extra = random.poisson(random.binomial(tries, factors.fail) * factors.retries)
        found.attempts += tries + extra
        found.failed += failed + extra
        if dead is not None:
            lost = random.poisson(customers * dead * factors.dead_tries)
            found.attempts += lost
            found.failed += lost


class _Factors:
    """The events of a store, as one array for each of their parts."""

    def __init__(self, play: Play, store: str) -> None:
        minutes = PAST + play.minutes
        self.demand = np.ones(minutes)
        self.fail, self.switch, self.retries, self.cards, self.stop = (np.zeros(minutes) for _ in range(5))
        self.closed = np.zeros(minutes, dtype=np.bool_)
        self.dead: dict[str, Bools] = {}
        self.dead_tries = np.zeros(minutes)
        self.accounts = np.ones(minutes)
        for event in play.events:
            if event.stores and store not in event.stores:
                continue
            when = slice(max(0, event.first + PAST), max(0, event.end + PAST))
            self.demand[when] *= 0.0 if event.closed else event.demand
            self.fail[when] = 1 - (1 - self.fail[when]) * (1 - event.fail)
            self.cards[when] += event.cards
            self.accounts[when] *= event.accounts
            self.stop[when] = np.maximum(self.stop[when], event.stop)
            self.closed[when] |= event.closed
            self.retries[when] = np.maximum(self.retries[when], event.retries)
            if event.dead:
                self.dead.setdefault(event.dead, np.zeros(minutes, dtype=np.bool_))[when] = True
                self.switch[when] = event.switch
                self.dead_tries[when] = float(event.dead_tries)


# --- what the exporter shows -------------------------------------------------------------------------


class Past:
    """Orders since the beginning, of which any stretch can be asked for: quarters of an hour as buckets.

    It gives what ``in_windows`` and ``expected`` of the baseline give, for many times at once.
    ``sundays`` are stretches of time, as Unix times, in which no more is expected than in the same hours of
    Sundays.
    """

    def __init__(self, placed: Numbers, clock: _Clock, sundays: Sequence[tuple[int, int]] = ()) -> None:
        self._sundays = sundays
        quarters = clock.times // BUCKET
        begin = int(quarters[0])
        sums = np.bincount(quarters - begin, weights=placed.astype(np.float64))
        self._edges = (begin + np.arange(len(sums) + 1)) * float(BUCKET)
        self._totals = np.concatenate(([0.0], np.cumsum(sums)))
        self._clock = clock

    def until(self, times: Floats) -> Floats:
        """Return the orders before each time; of a bucket the part that has passed."""
        return np.interp(times, self._edges, self._totals)

    def usual(self, begin: Floats, end: Floats) -> Floats:
        """Return the median of the past weeks of the orders between the same local times."""
        weeks = np.array([self._between(begin, end, week, 0) for week in range(1, WEEKS + 1)])
        for first, last in self._sundays:
            at = np.flatnonzero((begin < last) & (end > first))
            if len(at):
                low, high = np.maximum(begin[at], first), np.minimum(end[at], last)
                days = (datetime.fromtimestamp(first, self._clock.zone).weekday() + 1) % 7
                for week in range(1, WEEKS + 1):
                    usual, sunday = (self._between(low, high, week, ago) for ago in (0, days))
                    weeks[week - 1, at] += np.minimum(sunday - usual, 0)
        return np.asarray(np.median(weeks, axis=0))

    def _between(self, begin: Floats, end: Floats, week: int, days: int) -> Floats:
        """Return the orders between the same local times some weeks and days ago."""
        ago = days * 86_400
        until = self.until(self._clock.weeks_ago(end, week) - ago)
        return np.asarray(until - self.until(self._clock.weeks_ago(begin, week) - ago))


class _Exporter:
    """Turns what happened into series."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._clock = play.clock
        self._shown = np.arange(PAST, PAST + play.minutes)
        self._out = Store(play.begin, play.minutes)
        self._sundays = [
            (play.begin + event.first * MINUTE, play.begin + event.end * MINUTE)
            for event in play.events
            if event.holiday and play.shop.sundays
        ]
        self._common = {"job": "magento", "instance": "exporter:9816", "shop": "acme"}

    def _add(self, name: str, values: Floats | Numbers, **labels: str) -> None:
        self._out.add(name, np.asarray(values, dtype=np.float64), **self._common, **labels)

    def _counter(self, name: str, happened: Numbers, lag: int, **labels: str) -> None:
        """Show a counter that began some time before the first sample."""
        totals = np.cumsum(happened)
        self._add(name, totals[self._shown - lag] - totals[PAST - 2 * DAY], **labels)

    def store(self) -> Store:
        """Return every series."""
        people = _People(self._play)
        counts = {store: people.counts(store) for store in self._play.shop.stores}
        for store, found in counts.items():
            self._of_store(store, found)
        whole = _sum(found.placed for found in counts.values())
        if whole.any():
            self._since("magento_shop_orders_expected_since_last", whole, whole)
            carts = _sum(found.stages["cart"] for found in counts.values())
            self._number("magento_shop_carts_since_last_order", carts, whole)
        closed = np.zeros(self._play.minutes)
        for event in self._play.events:
            if event.closed:
                closed[max(0, event.first) : max(0, event.end)] = 1
        self._add("magento_maintenance_mode", closed)
        holiday = np.zeros(self._play.minutes)
        for event in self._play.events:
            if event.holiday:
                holiday[max(0, event.first) : max(0, event.end)] = 1
        self._add("magento_calendar_holiday", holiday)
        self._add("up", np.ones(self._play.minutes))
        return self._out

    def _of_store(self, store: str, found: _Counts) -> None:
        placed = found.placed
        self._counter("magento_checkout_placement_attempts_total", found.attempts, ATTEMPT_LAG, store=store)
        self._counter("magento_checkout_failed_placements_total", found.failed, ATTEMPT_LAG, store=store)
        self._objective(store, found)
        for method, orders in found.orders.items():
            self._counter("magento_orders_placed_total", orders, ORDER_LAG, store=store, method=method)
        accounts = np.zeros_like(placed) if found.by_account is None else found.by_account
        reached = [(stage, "guest", carts) for stage, carts in found.stages.items()]
        reached += [("order", "guest", placed - accounts), ("order", "registered", accounts)]
        for stage, customer, carts in reached:
            self._counter(
                "magento_checkout_stage_reached_total",
                carts,
                ORDER_LAG,
                store=store,
                stage=stage,
                customer=customer,
            )
        self._counter(
            "magento_orders_revenue_base_total",
            (placed * round(self._play.shop.value)).astype(np.int64),
            ORDER_LAG,
            store=store,
            currency="EUR",
        )
        self._windows(store, placed)
        if placed.any():
            self._add("magento_last_order_timestamp_seconds", self._last(placed), store=store)
            self._since("magento_orders_expected_since_last", placed, placed, store=store)
            self._number("magento_checkout_carts_since_last_order", found.stages["cart"], placed, store=store)
            for method, orders in found.orders.items():
                if orders.any():
                    self._number(
                        "magento_orders_since_last_by_method", placed, orders, store=store, method=method
                    )

    def _objective(self, store: str, found: _Counts) -> None:
        """Show what the exporter learns from the complete days until each one."""
        days = self._clock.times // objective.DAY
        counts = [np.bincount(days - days[0], weights=some) for some in (found.attempts, found.failed)]
        learned = {
            int(days[0]) + at: (int(tries), int(lost))
            for at, (tries, lost) in enumerate(zip(*counts, strict=True))
        }
        chosen = {day: objective.learned(learned, day * objective.DAY) for day in learned}
        shown = np.array([chosen[day] for day in days[self._shown].tolist()])
        self._add("magento_slo_objective", shown, store=store)

    def _windows(self, store: str, placed: Numbers) -> None:
        totals = np.concatenate(([0], np.cumsum(placed)))
        end = self._shown - ORDER_LAG + 1
        now = self._clock.times[self._shown].astype(np.float64)
        asked = now - now % EXPECTED_LIFETIME
        past = Past(placed, self._clock, self._sundays)
        for window, length in WINDOWS.items():
            recent = totals[end] - totals[end - length // MINUTE]
            self._add("magento_orders_recent", recent, store=store, window=window)
            if placed.any():
                usual = past.usual(asked - length, asked)
                self._add("magento_orders_expected", usual, store=store, window=window)

    def _last(self, orders: Numbers) -> Floats:
        """Return the time of the last order that shows in each minute."""
        at = np.where(orders > 0, self._clock.times, self._clock.start)
        return np.asarray(np.maximum.accumulate(at)[self._shown - ORDER_LAG], dtype=np.float64)

    def _number(self, name: str, counted: Numbers, orders: Numbers, **labels: str) -> None:
        """Show how many of the one kind came since the last order of the other."""
        totals = np.cumsum(counted)
        at_order = np.maximum.accumulate(np.where(orders > 0, totals, 0))
        shown = self._shown - ORDER_LAG
        self._add(name, totals[shown] - at_order[shown], **labels)

    def _since(self, name: str, expected: Numbers, orders: Numbers, **labels: str) -> None:
        """Show how many orders of the one kind were to be expected since the last order of the other.

        The newest minute is left out: its orders do not show yet.
        """
        now = self._clock.times[self._shown - ORDER_LAG].astype(np.float64)
        last = np.maximum(self._last(orders), now - 7 * 86_400)
        self._add(name, Past(expected, self._clock, self._sundays).usual(last, now), **labels)


def at(text: str) -> int:
    """Return the Unix time of a UTC date and time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
