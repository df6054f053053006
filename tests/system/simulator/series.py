"""Time series on a grid of minutes, and sliding windows over them.

A series is two arrays of the same length: the values, and whether there is a sample
in each minute. A minute without a sample means that the series had ended (Prometheus
marks it as stale), so nothing looks back beyond it. Windows contain both their ends,
as they do in Prometheus 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name; no empty values."""

NAME: Final = "__name__"
Wanted = Callable[[Mapping[str, str]], bool]


def labels_of(pairs: Mapping[str, str]) -> Labels:
    """Return the labels sorted, less the empty ones, which Prometheus does not tell from missing ones."""
    return tuple(sorted((name, value) for name, value in pairs.items() if value != ""))


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one series in consecutive minutes."""

    values: Floats
    present: Bools

    @classmethod
    def always(cls, values: Floats) -> Series:
        """Return a series with a sample in every minute."""
        return cls(values, np.ones(len(values), dtype=np.bool_))

    def only(self, where: Bools) -> Series:
        """Return the samples that are there and wanted."""
        return Series(self.values, self.present & where)


Vector = dict[Labels, Series]
"""The result of an expression in consecutive minutes."""


@dataclass(slots=True)
class Store:
    """Every series by metric name. Minute 0 of the grid is ``start`` (Unix time, a whole minute)."""

    start: int
    length: int
    series: dict[str, dict[Labels, Series]] = field(default_factory=dict)

    def add(self, name: str, values: Floats, **labels: str) -> None:
        """Add a series with a sample in every minute; NaN means that there is none."""
        known = ~np.isnan(values)
        self.series.setdefault(name, {})[labels_of({**labels, NAME: name})] = Series(values, known)

    def write(self, name: str, lo: int, found: Vector) -> None:
        """Write what a rule found in the minutes from ``lo`` on."""
        kept = self.series.setdefault(name, {})
        for labels, piece in found.items():
            if labels not in kept:
                if not piece.present.any():
                    continue
                kept[labels] = Series(np.zeros(self.length), np.zeros(self.length, dtype=np.bool_))
            hi = lo + len(piece.values)
            kept[labels].values[lo:hi] = piece.values
            kept[labels].present[lo:hi] = piece.present

    def read(self, name: str | None, wanted: Wanted, lo: int, hi: int) -> Vector:
        """Return the minutes from ``lo`` up to, without, ``hi``. Outside the grid nothing is there."""
        names = [name] if name is not None else sorted(self.series)
        found = (item for one in names for item in self.series.get(one, {}).items())
        pieces = ((labels, _cut(one, lo, hi)) for labels, one in found if wanted(dict(labels)))
        return {labels: piece for labels, piece in pieces if piece.present.any()}


def _cut(series: Series, lo: int, hi: int) -> Series:
    begin, end = max(lo, 0), min(max(hi, 0), len(series.values))
    if begin == lo and end == hi:
        return Series(series.values[lo:hi], series.present[lo:hi])
    values, present = np.zeros(hi - lo), np.zeros(hi - lo, dtype=np.bool_)
    if begin < end:
        values[begin - lo : end - lo] = series.values[begin:end]
        present[begin - lo : end - lo] = series.present[begin:end]
    return Series(values, present)


def matches(conditions: Iterable[tuple[str, str, str]]) -> Wanted:
    """Return whether labels meet every (name, operator, value); regular expressions are anchored."""
    tests: list[tuple[str, Callable[[str], bool]]] = []
    for name, operator, value in conditions:
        whole = re.compile(value) if operator in ("=~", "!~") else None
        test: Callable[[str], bool]
        if operator == "=":
            test = value.__eq__
        elif operator == "!=":
            test = value.__ne__
        elif whole is not None and operator == "=~":
            test = _accept(whole)
        elif whole is not None and operator == "!~":
            test = _refuse(whole)
        else:
            raise ValueError(f"unknown matcher: {operator}")
        tests.append((name, test))
    return lambda labels: all(test(labels.get(name, "")) for name, test in tests)


def _accept(whole: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: whole.fullmatch(text) is not None


def _refuse(whole: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: whole.fullmatch(text) is None


# --- sliding windows ---------------------------------------------------------------------------------
# Each takes a series and the first and last index of every window, both within it and both inside.

Edges = NDArray[np.int64]


def total(series: Series, first: Edges, last: Edges) -> Series:
    """Return the sum of each window."""
    sums = np.concatenate(([0.0], np.cumsum(np.where(series.present, series.values, 0.0))))
    return Series(sums[last + 1] - sums[first], count(series, first, last) > 0)


def count(series: Series, first: Edges, last: Edges) -> NDArray[np.int64]:
    """Return the number of samples in each window."""
    counts = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(series.present, dtype=np.int64)))
    found: NDArray[np.int64] = counts[last + 1] - counts[first]
    return found


def mean(series: Series, first: Edges, last: Edges) -> Series:
    """Return the mean of each window."""
    number = count(series, first, last)
    return Series(total(series, first, last).values / np.maximum(number, 1), number > 0)


def largest(series: Series, first: Edges, last: Edges) -> Series:
    """Return the maximum of each window, by maxima over powers of two; NaN only where all are."""
    numbers = series.only(~np.isnan(series.values))
    level = np.where(numbers.present, series.values, -np.inf)
    result = np.full(len(first), -np.inf)
    width = last - first + 1
    longest, size = int(width.max(initial=0)), 1
    while size <= longest:
        fits = (width >= size) & (width < 2 * size)
        if fits.any():
            result[fits] = np.maximum(level[first[fits]], level[last[fits] - size + 1])
        if len(level) > size:
            level = np.maximum(level[:-size], level[size:])
        size *= 2
    result = np.where(count(numbers, first, last) > 0, result, np.nan)
    return Series(result, count(series, first, last) > 0)


def latest(series: Series, first: Edges, last: Edges) -> Series:
    """Return the newest sample of each window."""
    at = np.maximum.accumulate(np.where(series.present, np.arange(len(series.values)), 0))
    return Series(series.values[at[last]], count(series, first, last) > 0)


def number(series: Series, first: Edges, last: Edges) -> Series:
    """Return how many samples each window has."""
    found = count(series, first, last)
    return Series(found.astype(np.float64), found > 0)


def smallest(series: Series, first: Edges, last: Edges) -> Series:
    """Return the minimum of each window."""
    found = largest(Series(-series.values, series.present), first, last)
    return Series(-found.values, found.present)


def increase(series: Series, first: Edges, last: Edges, step: int, *, at_ends: tuple[int, int]) -> Series:
    """Return the increase of a counter, extrapolated to the ends of each window as Prometheus does.

    ``step`` is the grid's in seconds; ``at_ends`` says how far each window extends beyond its first and
    last index, in seconds.
    """
    where = np.flatnonzero(series.present)
    if len(where) < 2:
        return Series(np.zeros(len(first)), np.zeros(len(first), dtype=np.bool_))
    raw = series.values[where]
    drops = np.where(raw[1:] < raw[:-1], raw[:-1], 0.0)
    steady = raw + np.concatenate(([0.0], np.cumsum(drops)))
    counts = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(series.present, dtype=np.int64)))
    one, other = counts[first], counts[last + 1] - 1
    enough = other > one
    one, other = np.where(enough, one, 0), np.where(enough, other, 1)
    grown = steady[other] - steady[one]
    sampled = (where[other] - where[one]) * float(step)
    before = (where[one] - first) * float(step) + at_ends[0]
    after = (last - where[other]) * float(step) + at_ends[1]
    between = sampled / (other - one)
    with np.errstate(divide="ignore", invalid="ignore"):
        to_zero = sampled * (raw[one] / grown)
    before = np.where((grown > 0) & (raw[one] >= 0), np.minimum(before, to_zero), before)
    extended = sampled + np.where(before < between * 1.1, before, between / 2)
    extended = extended + np.where(after < between * 1.1, after, between / 2)
    return Series(grown * extended / sampled, enough)


def runs(state: Bools) -> Iterator[tuple[int, int]]:
    """Return (first, end) of each stretch in which the state is true; the end is the first minute after."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], state, [False])).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
