"""A small model of Alertmanager: which receiver is notified of which alert, and when.

It follows the dispatcher, the inhibitor and the notification log of Alertmanager 0.25: an alert
goes down the tree of routes, waits in its group, and is left out while another one inhibits it or its
route is muted. A notification is made when an alert is in it that the one before did not have, when all
have ended, and after the repeat interval.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import promql_parser as ast
import yaml

from tests.system.simulator.promql import MINUTE
from tests.system.simulator.rules import Firing
from tests.system.simulator.series import Bools, Labels, Wanted, matches

_MATCHER: Final = re.compile(r'\s*([a-zA-Z_][\w]*)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*')
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


@dataclass(frozen=True, slots=True)
class Route:
    """A route with what it inherits."""

    receiver: str
    wanted: Wanted
    group_by: tuple[str, ...]
    group_wait: int
    group_interval: int
    repeat_interval: int
    muted: tuple[str, ...]
    goes_on: bool
    children: tuple[Route, ...] = ()

    def of(self, labels: Mapping[str, str]) -> list[Route]:
        """Return the routes that an alert takes."""
        if not self.wanted(labels):
            return []
        found: list[Route] = []
        for child in self.children:
            taken = child.of(labels)
            found += taken
            if taken and not child.goes_on:
                break
        return found or [self]


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While the source fires, the target is left out of notifications, if the labels are equal."""

    source: Wanted
    target: Wanted
    equal: tuple[str, ...]

    def inhibits(self, source: Mapping[str, str], target: Mapping[str, str]) -> bool:
        """Return whether the source would inhibit the target. What is both inhibits no other that is both."""
        if not (self.source(source) and self.target(target)):
            return False
        if any(source.get(name, "") != target.get(name, "") for name in self.equal):
            return False
        return not (self.source(target) and self.target(source))


@dataclass(frozen=True, slots=True)
class Notification:
    """A message to a receiver, ``second`` after the beginning. ``new`` fire since the message before."""

    second: int
    receiver: str
    new: tuple[Labels, ...]
    repeated: bool = False

    @property
    def minute(self) -> int:
        """The minute in which it arrives, counted from one."""
        return -(-self.second // MINUTE)

    @property
    def alerts(self) -> set[str]:
        """The names of the new alerts."""
        return {dict(labels)["alertname"] for labels in self.new}


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """The configuration, ready to be asked."""

    root: Route
    inhibitions: tuple[Inhibition, ...]
    intervals: Mapping[str, Callable[[datetime], bool]]

    @classmethod
    def load(cls, path: Path) -> Alertmanager:
        """Return the model of a configuration file."""
        return cls.of(yaml.safe_load(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Alertmanager:
        """Return the model of a configuration."""
        rules = (
            Inhibition(
                _all(rule.get("source_matchers", ())),
                _all(rule.get("target_matchers", ())),
                tuple(rule.get("equal", ())),
            )
            for rule in settings.get("inhibit_rules", ())
        )
        named = [*settings.get("time_intervals", ()), *settings.get("mute_time_intervals", ())]
        intervals = {one["name"]: _any_of(one["time_intervals"]) for one in named}
        return cls(_route(settings["route"], {}), tuple(rules), intervals)

    def receivers(self, labels: Mapping[str, str]) -> list[str]:
        """Return the receivers to which an alert is routed."""
        return [route.receiver for route in self.root.of(labels)]

    def inhibited(self, target: Mapping[str, str], firing: Iterable[Mapping[str, str]]) -> bool:
        """Return whether one of the firing alerts inhibits the target."""
        others = [one for one in firing if one != target]
        return any(rule.inhibits(one, target) for rule in self.inhibitions for one in others)

    def notifications(self, firings: Sequence[Firing], begin: int, minutes: int) -> list[Notification]:
        """Return what is sent for alerts on a grid of minutes that begins at Unix time ``begin``."""
        masks = _masks(firings, minutes)
        inhibited = {labels: self._inhibited(labels, masks, minutes) for labels in masks}
        groups: dict[tuple[Route, Labels], list[Firing]] = {}
        for one in firings:
            labels = dict(one.labels)
            for route in self.root.of(labels):
                by = labels.keys() if route.group_by == ("...",) else route.group_by
                key = tuple((name, labels.get(name, "")) for name in by)
                groups.setdefault((route, key), []).append(one)
        found: list[Notification] = []
        for (route, _), members in groups.items():
            group = _Group(route, members, inhibited, begin, minutes)
            found += group.notifications([self.intervals[name] for name in route.muted])
        return sorted(found, key=lambda one: one.second)

    def _inhibited(self, target: Labels, masks: Mapping[Labels, Bools], minutes: int) -> Bools:
        state = np.zeros(minutes, dtype=np.bool_)
        wanted = dict(target)
        rules = [rule for rule in self.inhibitions if rule.target(wanted)]
        for source, mask in masks.items():
            if source != target and any(rule.inhibits(dict(source), wanted) for rule in rules):
                state |= mask
        return state


def _masks(firings: Iterable[Firing], minutes: int) -> dict[Labels, Bools]:
    masks: dict[Labels, Bools] = {}
    for one in firings:
        masks.setdefault(one.labels, np.zeros(minutes, dtype=np.bool_))[one.first : one.end] = True
    return masks


@dataclass(slots=True)
class _Group:
    """The alerts of one route that have the same labels of ``group_by``."""

    route: Route
    members: Sequence[Firing]
    inhibited: Mapping[Labels, Bools]
    begin: int
    minutes: int
    notified: frozenset[Labels] = frozenset()
    notified_at: int | None = None
    alive: dict[Labels, Firing] = field(default_factory=dict)

    def notifications(self, muted: Sequence[Callable[[datetime], bool]]) -> Iterator[Notification]:
        """Flush the group again and again, as long as it has alerts."""
        waiting = sorted(self.members, key=lambda one: one.first)
        flush = 0
        while waiting or self.alive:
            if not self.alive:
                flush = waiting[0].first * MINUTE + self.route.group_wait
            while waiting and waiting[0].first * MINUTE <= flush:
                one = waiting.pop(0)
                self.alive[one.labels] = one
            if flush >= self.minutes * MINUTE:
                return
            moment = datetime.fromtimestamp(self.begin + flush, UTC)
            silent = any(inside(moment) for inside in muted)
            yield from self._flush(flush, silent=silent)
            flush += self.route.group_interval

    def _flush(self, second: int, *, silent: bool) -> Iterator[Notification]:
        minute = second // MINUTE
        ended = {labels for labels, one in self.alive.items() if one.end <= minute}
        heard = {labels for labels in self.alive if not self.inhibited[labels][minute]}
        if heard and not silent:
            firing = frozenset(heard - ended)
            new = firing - self.notified
            if new:
                yield Notification(second, self.route.receiver, tuple(sorted(new)))
                self.notified, self.notified_at = firing, second
            elif not firing or (heard & ended & self.notified):
                self.notified = firing
                self.notified_at = second if self.notified_at is not None else None
            elif self.notified_at is not None and second - self.notified_at >= self.route.repeat_interval:
                yield Notification(second, self.route.receiver, tuple(sorted(firing)), repeated=True)
                self.notified, self.notified_at = firing, second
        for labels in ended:
            del self.alive[labels]


# --- the configuration -------------------------------------------------------------------------------


def _all(matchers: Iterable[str]) -> Wanted:
    found = [_MATCHER.fullmatch(text) for text in matchers]
    conditions: list[tuple[str, str, str]] = []
    for match in found:
        if match is None:
            raise ValueError("a matcher that cannot be read")
        conditions.append((match[1], match[2], match[3]))
    return matches(conditions)


def _route(node: Mapping[str, Any], above: Mapping[str, Any]) -> Route:
    inherited = ("receiver", "group_by", "group_wait", "group_interval", "repeat_interval")
    own = {key: node.get(key, above.get(key)) for key in inherited}
    return Route(
        receiver=str(own["receiver"]),
        wanted=_all(node.get("matchers", ())),
        group_by=tuple(own["group_by"] or ()),
        group_wait=_seconds(own["group_wait"] or "30s"),
        group_interval=_seconds(own["group_interval"] or "5m"),
        repeat_interval=_seconds(own["repeat_interval"] or "4h"),
        muted=tuple(node.get("mute_time_intervals", ())),
        goes_on=bool(node.get("continue", False)),
        children=tuple(_route(child, own) for child in node.get("routes", ())),
    )


def _seconds(text: str) -> int:
    return 0 if text == "0s" else int(ast.parse_duration(text).total_seconds())


def _any_of(intervals: Sequence[Mapping[str, Any]]) -> Callable[[datetime], bool]:
    parts = [_interval(one) for one in intervals]
    return lambda moment: any(part(moment) for part in parts)


def _interval(node: Mapping[str, Any]) -> Callable[[datetime], bool]:
    """Return whether a moment is inside: every part that is given must hold, of each part one range."""
    zone = ZoneInfo(node.get("location", "UTC"))
    times = [(_clock(one["start_time"]), _clock(one["end_time"])) for one in node.get("times", ())]
    weekdays = [_range(text, _DAYS, 0) for text in node.get("weekdays", ())]
    months = [_range(text, _MONTHS, 1) for text in node.get("months", ())]
    days = [_range(text, (), 0) for text in node.get("days_of_month", ())]
    years = [_range(text, (), 0) for text in node.get("years", ())]

    def inside(moment: datetime) -> bool:
        local = moment.astimezone(zone)
        minute = local.hour * 60 + local.minute
        return (
            (not times or any(start <= minute < end for start, end in times))
            and _within(local.weekday(), weekdays)
            and _within(local.month, months)
            and _within(local.day, days)
            and _within(local.year, years)
        )

    return inside


def _within(number: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return not ranges or any(first <= number <= last for first, last in ranges)


def _clock(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def _range(text: str, names: Sequence[str], base: int) -> tuple[int, int]:
    parts = [part.strip() for part in str(text).split(":")]
    numbers = [names.index(part) + base if part in names else int(part) for part in parts]
    return numbers[0], numbers[-1]
