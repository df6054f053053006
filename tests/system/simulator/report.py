"""Plays scenarios and says who was notified when, as Markdown and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from exporter.errors import SpecError
from tests.system.simulator.alertmanager import Alertmanager, Notification
from tests.system.simulator.rules import Firing, Rule, evaluate
from tests.system.simulator.scenarios import BEFORE, Fault, Healthy
from tests.system.simulator.servers import Broken
from tests.system.simulator.shops import DAY

BEGIN: Final = "<!-- simulated: begin (written by make simulate ARGS='all --save') -->"
END: Final = "<!-- simulated: end -->"

PAGE = "page"
URGENT = "urgent"
TICKET = "ticket"
SECURITY = "security"
KINDS = (URGENT, TICKET, SECURITY)


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules and the routes under test."""

    rules: Sequence[Rule]
    routes: Alertmanager


@dataclass(frozen=True, slots=True)
class Heard:
    """The first notification of a receiver: the minute after the fault, and the alerts in it."""

    receiver: str
    minute: int
    alerts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a fault, by seed."""

    fault: str
    goal: int | None
    heard: tuple[tuple[Heard, ...], ...]
    fired: tuple[dict[str, int], ...]

    def minutes(self, kind: str) -> list[float]:
        """Return, by seed, the minute of the first notification of a receiver of the kind; inf for none."""
        return [
            min((one.minute for one in heard if one.receiver.startswith(kind)), default=float("inf"))
            for heard in self.heard
        ]

    def first(self, kind: str) -> str:
        """Return the alerts of the first notification."""
        names = Counter[str]()
        for heard in self.heard:
            some = [one for one in heard if one.receiver.startswith(kind)]
            if some:
                names.update(min(some, key=lambda one: one.minute).alerts)
        return ", ".join(name for name, _ in names.most_common())

    @property
    def met(self) -> bool:
        """Whether the pager was notified in time with most seeds."""
        return self.goal is None or median(self.minutes(PAGE)) <= self.goal


PAGES_A_YEAR: Final = 1.0
"""The goal: how often a year somebody is called at most although nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Year:
    """The notifications of a healthy shop, by receiver and alert, for a year."""

    shop: str
    notified: Mapping[str, Mapping[str, float]]

    def total(self, kind: str) -> float:
        """Return the notifications of the receivers of the kind."""
        return sum(sum(names.values()) for name, names in self.notified.items() if name.startswith(kind))

    @property
    def met(self) -> bool:
        """Whether nobody is called for nothing more often than the goal allows. A tenth is rounding."""
        return self.total(PAGE) < PAGES_A_YEAR + 0.1


def _notifications(
    pack: Pack, fault: Fault | Broken | Healthy, seed: int
) -> tuple[list[Firing], list[Notification]]:
    store = fault.play(seed).store()
    firings = evaluate(pack.rules, store)
    return firings, pack.routes.notifications(firings, store.start, store.length)


def play_fault(pack: Pack, fault: Fault | Broken, seeds: Iterable[int]) -> Outcome:
    """Play a fault with some seeds."""
    heard: list[tuple[Heard, ...]] = []
    fired: list[dict[str, int]] = []
    for seed in seeds:
        firings, notifications = _notifications(pack, fault, seed)
        first: dict[str, Heard] = {}
        for one in notifications:
            minute = one.minute - BEFORE
            if minute > 0 and not one.repeated and one.receiver not in first:
                first[one.receiver] = Heard(one.receiver, minute, tuple(sorted(one.alerts)))
        heard.append(tuple(first.values()))
        begun: dict[str, int] = {}
        for firing in firings:
            if firing.end > BEFORE:
                begun.setdefault(firing.alert, firing.first - BEFORE)
        fired.append(begun)
    return Outcome(fault.name, fault.goal, tuple(heard), tuple(fired))


def play_year(pack: Pack, shop: Healthy, seeds: Sequence[int]) -> Year:
    """Play a healthy shop with some seeds; nine days in which the rules learn do not count."""
    notified: dict[str, Counter[str]] = {}
    for seed in seeds:
        for one in _notifications(pack, shop, seed)[1]:
            if not one.repeated and one.minute > BEFORE:
                notified.setdefault(one.receiver, Counter()).update(one.alerts)
    years = len(seeds) * (shop.days * DAY - BEFORE) / (365 * DAY)
    rates = {
        receiver: {name: round(number / years, 2) for name, number in names.items()}
        for receiver, names in notified.items()
    }
    return Year(shop.name, rates)


def minutes(found: Sequence[float]) -> str:
    """Return the median and, in brackets, the worst."""
    middle, worst = median(found), max(found)
    texts = ["never" if one == float("inf") else f"{one:.0f}" for one in (middle, worst)]
    return texts[0] if texts[0] == texts[1] else f"{texts[0]} ({texts[1]})"


def faults_table(outcomes: Iterable[Outcome]) -> str:
    """Return the table of the faults."""
    rows = [
        "| fault | pager, minutes: median (worst) | goal | by | urgent | ticket | security |",
        "| :--- | ---: | ---: | :--- | ---: | ---: | ---: |",
    ]
    for one in outcomes:
        goal = "" if one.goal is None else f"{one.goal}{'' if one.met else ' MISSED'}"
        cells = [one.fault, minutes(one.minutes(PAGE)), goal, one.first(PAGE)]
        cells += [minutes(one.minutes(kind)) for kind in KINDS]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def years_table(years: Iterable[Year]) -> str:
    """Return the table of the healthy shops."""
    rows = [
        "| healthy shop | pages a year | urgent | tickets | security | by |",
        "| :--- | ---: | ---: | ---: | ---: | :--- |",
    ]
    for one in years:
        counts = Counter[str]()
        for names in one.notified.values():
            counts.update(names)
        by = ", ".join(f"{name.removeprefix('Magento')} {number:g}" for name, number in counts.most_common())
        numbers = [f"{one.total(PAGE):.1f}{'' if one.met else ' MISSED'}"]
        numbers += [f"{one.total(kind):.1f}" for kind in KINDS]
        rows.append("| " + " | ".join([one.shop, *numbers, by]) + " |")
    return "\n".join(rows)


def of_data(data: Mapping[str, Any]) -> tuple[list[Outcome], list[Year]]:
    """Return what :func:`as_data` made data of."""
    outcomes = [
        Outcome(
            one["fault"],
            one["goal"],
            tuple(
                tuple(Heard(each["receiver"], each["minute"], tuple(each["alerts"])) for each in heard)
                for heard in one["heard"]
            ),
            tuple(one["fired"]),
        )
        for one in data["faults"]
    ]
    return outcomes, [Year(**one) for one in data["healthy"]]


def page(current: str, outcomes: Sequence[Outcome], years: Sequence[Year]) -> str:
    """Return docs/alerts.md with the tables made anew."""
    before, begin, rest = current.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SpecError("docs/alerts.md has lost the marks between which the simulator writes")
    tables = f"{faults_table(outcomes)}\n\n{years_table(years)}"
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def as_data(outcomes: Iterable[Outcome], years: Iterable[Year]) -> dict[str, object]:
    """Return everything as JSON-serialisable data."""
    return {"faults": [asdict(one) for one in outcomes], "healthy": [asdict(one) for one in years]}
