"""What is played: faults, at the same moment in shops of every size, and years of healthy shops.

A fault begins on a Sunday at half past eight in the evening, the shop's time, unless its name says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tests.system.simulator.promql import MINUTE
from tests.system.simulator.shops import DAY, Event, Play, Shop

ZONE: Final = ZoneInfo("Europe/Berlin")
SUNDAY: Final = datetime(2026, 6, 14, 20, 30, tzinfo=ZONE)
MORNING: Final = datetime(2026, 6, 16, 10, 15, tzinfo=ZONE)
NIGHT: Final = datetime(2026, 6, 16, 3, 0, tzinfo=ZONE)
BEFORE: Final = 9 * DAY
"""Minutes before the fault: the rules look back a week and a day."""
LASTS: Final = 6 * 60
LONG: Final = 3 * DAY


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in a shop, and within how many minutes a pager should be notified of it."""

    name: str
    shop: Shop
    event: Event
    goal: int | None = None
    before: tuple[Event, ...] = ()
    """What was the matter already; minutes count from the fault."""
    moment: datetime = SUNDAY
    lasts: int = LASTS

    def play(self, seed: int) -> Play:
        """Return the days to be played."""
        begin = int(self.moment.timestamp()) - BEFORE * MINUTE
        events = [_moved(one, BEFORE) for one in (*self.before, self.event)]
        return Play(self.shop, begin, BEFORE + self.lasts, events, seed)


def _moved(event: Event, minutes: int) -> Event:
    return replace(event, first=event.first + minutes, end=event.end + minutes)


def _shop(per_day: float, **more: object) -> Shop:
    return replace(Shop(per_day), **more)  # type: ignore[arg-type]


def _peak(factor: float) -> tuple[Event, ...]:
    """Return a day on which many times the usual number of people come, from midnight on."""
    return (Event(-20 * 60 - 30, LASTS, demand=factor),)


def _from_now(*, lasts: int = LASTS, **what: object) -> Event:
    return Event(0, lasts, **what)  # type: ignore[arg-type]


THREE_STORES: Final = {"de": 0.34, "at": 0.33, "ch": 0.33}
FORTY_STORES: Final = {
    **{
        f"s{number}": share
        for number, share in enumerate((0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.03, 0.02, 0.01))
    },
    **{f"empty{number}": 0.0 for number in range(30)},
}

_ALL: Final = _from_now(fail=1.0)
_AGAIN: Final = _from_now(fail=1.0, retries=3.0)
_MOST: Final = _from_now(fail=0.6, retries=0.3)
_THIRD: Final = _from_now(fail=0.35)
_STOP: Final = _from_now(stop=1.0)
_NOBODY: Final = _from_now(demand=0.0)
_DEAD: Final = _from_now(dead="card")
_SEEN: Final = _from_now(dead="card", dead_tries=True)


def faults() -> Iterator[Fault]:
    """Return every fault that is played."""
    for size, goal in ((144, None), (720, 25), (5_000, 8), (28_800, 8)):
        yield Fault(f"all placements fail, {size:,} a day", _shop(size), _ALL, goal)
    for size, goal in ((720, 25), (5_000, 8)):
        yield Fault(f"all placements fail, {size:,} a day, four tries each", _shop(size), _AGAIN, goal)
    for factor in (5, 8):
        name = f"all placements fail, 5,000 a day, Black Friday {factor}x"
        yield Fault(name, _shop(5_000), _ALL, 8, _peak(factor))
    sale = (Event(-60, LASTS, demand=12),)
    yield Fault(
        "all placements fail, 5,000 a day, an hour into a flash sale 12x", _shop(5_000), _ALL, 8, sale
    )
    yield Fault("all placements fail, 5,000 a day, Tuesday 03:00", _shop(5_000), _ALL, None, moment=NIGHT)
    yield Fault("all placements fail, 720 a day, Tuesday 10:15", _shop(720), _ALL, 25, moment=MORNING)
    tested = (Event(-30, LASTS, cards=20),)
    yield Fault(
        "all placements fail, 5,000 a day, card testing before and on", _shop(5_000), _ALL, 12, tested
    )
    quiet = (Event(-20 * 60, LASTS, demand=0.4),)
    yield Fault("all placements fail, 5,000 a day, public holiday 0.4x", _shop(5_000), _ALL, 12, quiet)
    yield Fault("60 % fail, 720 a day", _shop(720), _MOST)
    yield Fault("60 % fail, 5,000 a day", _shop(5_000), _MOST, 12)
    yield Fault("60 % fail, 5,000 a day, Black Friday 5x", _shop(5_000), _MOST, 12, _peak(5))
    yield Fault("35 % fail, 5,000 a day", _shop(5_000), _THIRD, 45)
    yield Fault("35 % fail, 5,000 a day, Black Friday 5x", _shop(5_000), _THIRD, 45, _peak(5))
    yield Fault("35 % fail, 720 a day", _shop(720), _THIRD)
    yield Fault("15 % fail, 5,000 a day", _shop(5_000), _from_now(fail=0.15))
    yield Fault("main method dead, failures visible, 5,000 a day", _shop(5_000), _SEEN, 12)
    yield Fault(
        "main method dead, failures visible, 5,000 a day, Black Friday 5x", _shop(5_000), _SEEN, 12, _peak(5)
    )
    yield Fault("main method dead, nothing visible, 720 a day", _shop(720), _DEAD)
    yield Fault("main method dead, nothing visible, 5,000 a day", _shop(5_000), _DEAD, 20)
    half = _from_now(dead="card", switch=0.5)
    yield Fault("main method dead, half take another, 5,000 a day", _shop(5_000), half, 20)
    yield Fault(
        "main method dead, nothing visible, 5,000 a day, Black Friday 5x", _shop(5_000), _DEAD, 20, _peak(5)
    )
    second = _from_now(dead="paypal")
    yield Fault("second method dead, nothing visible, 5,000 a day", _shop(5_000), second)
    yield Fault("orders stop, carts go on, 5,000 a day", _shop(5_000), _STOP, 10)
    for size, goal in ((720, None), (1_440, 20)):
        three = _shop(size, stores=THREE_STORES)
        yield Fault(f"orders stop, carts go on, {size:,} a day in three stores", three, _STOP, goal)
    lost = _from_now(stop=0.6)
    yield Fault("60 % of the customers do not get to the try, 5,000 a day", _shop(5_000), lost)
    yield Fault("60 % of the customers do not get to the try, 720 a day", _shop(720), lost)
    forty = _shop(5_000, stores=FORTY_STORES)
    yield Fault("orders stop, carts go on, 5,000 a day in 10 of 40 stores", forty, _STOP, 10)
    long = _from_now(stop=1.0, lasts=LONG)
    for size in (6, 60, 144):
        yield Fault(f"orders stop, carts go on, {size} a day", _shop(size), long, lasts=LONG)
    office = _shop(120, shape="offices")
    yield Fault(
        "orders stop, carts go on, offices 120 a day, Tuesday 10:15", office, long, None, (), MORNING, LONG
    )
    no_login = _from_now(stop=0.3, accounts=0.0)
    for size in (720, 5_000):
        yield Fault(f"nobody can log in, {size:,} a day", _shop(size), no_login)
    yield Fault("nobody comes, 720 a day", _shop(720), _NOBODY)
    yield Fault("nobody comes, 5,000 a day", _shop(5_000), _NOBODY)


# --- healthy years -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Healthy:
    """A shop in which nothing is wrong, and how many days of it are played."""

    name: str
    shop: Shop
    days: int = 365

    def play(self, seed: int) -> Play:
        """Return the days to be played."""
        begin = datetime(2025, 12, 1, tzinfo=ZONE)
        return Play(
            self.shop, int(begin.timestamp()), self.days * DAY, list(calendar(begin, self.shop)), seed
        )


def healthy(*, sundays: bool = True) -> Iterator[Healthy]:
    """Return every healthy shop that is played. ``sundays``: see :class:`Shop`."""
    for one in _healthy():
        yield replace(one, shop=replace(one.shop, sundays=sundays))


def _healthy() -> Iterator[Healthy]:
    for size in (6, 60, 144, 720, 5_000, 28_800):
        yield Healthy(f"{size:,} a day", _shop(size))
    for declines in (0.03, 0.08, 0.15):
        yield Healthy(f"5,000 a day, {declines:.0%} declines", _shop(5_000, declines=declines))
    yield Healthy("720 a day, 8% declines", _shop(720, declines=0.08))
    yield Healthy("28,800 a day, 15% declines", _shop(28_800, declines=0.15))
    yield Healthy("offices, 24 a day", _shop(24, shape="offices", accounts=0.95))
    yield Healthy("offices, 120 a day", _shop(120, shape="offices", accounts=0.95))
    yield Healthy("offices, 2,000 a day", _shop(2_000, shape="offices", accounts=0.95))
    yield Healthy("weekend, 720 a day", _shop(720, shape="weekend"))
    yield Healthy("720 a day in three stores", _shop(720, stores=THREE_STORES))
    yield Healthy("5,000 a day in 10 of 40 stores, 90 days", _shop(5_000, stores=FORTY_STORES), 90)
    yield Healthy("720 a day, carts filled by bots", _shop(720, bots=1.0))
    wild = {"weekly_spread": 0.25, "hourly_variance": 0.06, "conversion_variance": 0.03}
    for size in (720, 5_000):
        yield Healthy(f"{size:,} a day, twice as variable", _shop(size, **wild))
    half = _shop(5_000, accounts=0.5, accounts_variance=0.06)
    yield Healthy("5,000 a day, half with an account", half)
    phone = {"card": 0.5, "paypal": 0.25, "phone": 0.25}
    yield Healthy("5,000 a day, telephone orders", _shop(5_000, methods=phone, by_day=("phone",)))


HOLIDAYS: Final = (
    "2025-12-24",
    "2025-12-25",
    "2025-12-26",
    "2025-12-31",
    "2026-01-01",
    "2026-04-03",
    "2026-04-06",
    "2026-05-01",
    "2026-05-14",
    "2026-05-25",
    "2026-06-04",
    "2026-10-03",
    "2026-11-01",
)


def calendar(begin: datetime, shop: Shop) -> Iterator[Event]:
    """Return a year of holidays, campaigns, deployments and card testing."""

    def event(text: str, hours: float, **what: object) -> Event:
        moment = datetime.fromisoformat(text).replace(tzinfo=begin.tzinfo)
        first = round((moment - begin) / timedelta(minutes=1))
        return Event(first, first + round(hours * 60), **what)  # type: ignore[arg-type]

    office = shop.shape == "offices"
    for day in HOLIDAYS:
        quiet = 0.01 if office else (0.35 if day in ("2025-12-24", "2025-12-25", "2025-12-31") else 0.7)
        yield event(day, 24, demand=quiet, holiday=True)
    if office:
        yield event("2025-12-29", 48, demand=0.3)
        yield event("2026-05-15", 24, demand=0.5)
        return_to_work = event("2026-08-03", 24 * 14, demand=0.6)
        yield return_to_work
    else:
        yield event("2026-02-12T10:00", 2, demand=12, accounts=0.5)
        yield event("2026-07-16T19:00", 2, demand=12, accounts=0.5)
        yield event("2026-11-27", 24, demand=5, accounts=0.6)
        yield event("2026-11-28", 48, demand=3, accounts=0.6)
        yield event("2026-11-30", 24, demand=8, accounts=0.6)
        for month in (1, 3, 5, 6, 8, 9, 10):
            yield event(f"2026-{month:02d}-10", 72, demand=2)
            yield event(f"2026-{month:02d}-20T18:00", 1, demand=4, accounts=1.6)
    yield from _maintenance(begin)
    for text, hours, cards in (
        ("2026-01-24T02:00", 3, 20),
        ("2026-03-22T20:00", 2, 5),
        ("2026-05-05T14:00", 6, 60),
        ("2026-08-23T23:00", 5, 30),
        ("2026-10-14T09:00", 1, 10),
    ):
        yield event(text, hours, cards=float(cards))


def _maintenance(begin: datetime) -> Iterator[Event]:
    """Return a deployment of three minutes every Tuesday at noon, and one of twenty each month at night."""
    for day in range(366):
        moment = begin + timedelta(days=day)
        if moment.weekday() == 1:
            yield Event(day * DAY + 12 * 60, day * DAY + 12 * 60 + 3, closed=True)
        if moment.day == 10:
            yield Event(day * DAY + 3 * 60, day * DAY + 3 * 60 + 20, closed=True)


TESTS_OF_CARDS: Final = 5


def chosen(names: Sequence[str], pattern: str) -> list[str]:
    """Return the names that contain the text."""
    return [name for name in names if pattern in name]
