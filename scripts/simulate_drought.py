"""How often the order alerts would page a healthy shop, and how soon they notice a dead one, by size.

Simulates years of orders of a healthy shop from a seed: a weekly shape with quiet nights, a level
that moves from week to week, and hours that vary more than chance alone. The rules are the ones of
the catalogue with the limits of alerts/thresholds.py, asked every ten minutes: the expected number
is the median of the same window of the last eight weeks, as the exporter computes it. A total stop
at a random moment shows how long each rule needs. One shop takes orders on weekdays from eight to six
only: it must not be missed on Sunday. Writes the table into docs/alerts.md with --write.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alerts import thresholds as limits  # noqa: E402 - the repository's root comes first
from alerts.thresholds import critical, warning  # noqa: E402

STEP: Final = 600
HOUR: Final = 3600 // STEP
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
WINDOWS: Final = {"30m": HOUR // 2, "2h": 2 * HOUR, "6h": 6 * HOUR, "1d": DAY}
BASELINE_WEEKS: Final = 8
WEEKLY_SPREAD: Final = 0.15
HOURLY_VARIANCE: Final = 0.03
SIZES: Final = (6, 24, 120, 600, 5_000)
WEEKDAY_SIZE: Final = 24
STOPS: Final = 40
LONGEST_STOP: Final = 4 * DAY
LARGE: Final = 50.0
BEGIN: Final = "<!-- simulated: begin -->"
END: Final = "<!-- simulated: end -->"

Hours = Callable[[], list[float]]
"""Gives the share of a week's orders in each step."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert of the catalogue: surprise beyond a limit, and less than a share of the expected."""

    name: str
    nats: float
    share: float
    windows: tuple[str, ...] = tuple(WINDOWS)


RULES: Final = (
    Rule(
        "MagentoOrderDrought*",
        critical(limits.DROUGHT_SURPRISE_NATS),
        critical(limits.ORDERS_AGAINST_EXPECTED),
    ),
    Rule(
        "MagentoOrdersLow",
        limits.SALES_LOW_NATS,
        warning(limits.ORDERS_AGAINST_EXPECTED),
        ("2h", "6h", "1d"),
    ),
)
NO_ORDERS: Final = "MagentoNoOrdersForLong"
NAMES: Final = (*(rule.name for rule in RULES), NO_ORDERS)


def shape() -> list[float]:
    """Return the share of a week's orders in each step: quiet nights, busy evenings, a fuller Sunday."""
    days = (1.0, 0.98, 0.97, 0.95, 0.9, 0.95, 1.2)
    raw = []
    for step in range(WEEK):
        hour = step / HOUR % 24
        day_time = max(0.0, math.sin((hour - 7) / 17 * math.pi)) if hour > 7 else 0.0  # noqa: PLR2004
        evening = 0.6 * math.exp(-((hour - 20.5) ** 2) / 6)
        raw.append((0.08 + day_time**1.3 + evening) * days[step // DAY])
    return [value / sum(raw) for value in raw]


def office_hours() -> list[float]:
    """Return the share of a week's orders in each step of a shop that sells on weekdays from eight to six."""
    hours = [step // HOUR for step in range(WEEK)]
    selling = [hour < 5 * 24 and 8 <= hour % 24 < 18 for hour in hours]  # noqa: PLR2004 - weekdays, hours
    return [open_now / sum(selling) for open_now in selling]


def poisson(mean: float, random: Random) -> int:
    """Draw from a Poisson distribution; from its normal approximation where it is large."""
    if mean > LARGE:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def orders(per_day: float, weeks: int, random: Random, hours: Hours = shape) -> list[int]:
    """Return the orders of each step."""
    steps: list[int] = []
    week_shape = hours()
    for _ in range(weeks):
        level = per_day * 7 * (1 + WEEKLY_SPREAD * max(-2.0, min(2.0, random.gauss(0, 1))))
        for hour in range(WEEK // HOUR):
            noise = random.gammavariate(1 / HOURLY_VARIANCE, HOURLY_VARIANCE)
            steps += [
                poisson(level * share * noise, random)
                for share in week_shape[hour * HOUR : (hour + 1) * HOUR]
            ]
    return steps


@dataclass(frozen=True, slots=True)
class History:
    """The orders so far, as running totals."""

    totals: Sequence[int]

    @classmethod
    def of(cls, steps: Sequence[int]) -> History:
        """Return the history of these steps."""
        return cls((0, *accumulate(steps)))

    def seen(self, at: int, length: int) -> int:
        """Return the orders of the ``length`` steps up to and with ``at``."""
        return self.totals[at + 1] - self.totals[max(0, at + 1 - length)]

    def usual(self, at: int, length: int) -> float:
        """Return the median of the same window in the weeks before."""
        return median(self.seen(at - week * WEEK, length) for week in range(1, BASELINE_WEEKS + 1))


def surprise(seen: float, usual: float) -> float:
    """Return the surprise in nats, as the recording rule computes it."""
    some = max(seen, 1e-9)
    return usual - seen + some * math.log(some / usual)


def fires(now: History, before: History, at: int, held: dict[str, int], last_order: int) -> dict[str, bool]:
    """Return which alerts fire at a step; ``held`` keeps since when each condition has been true."""
    bad = dict.fromkeys(NAMES, False)
    for window, length in WINDOWS.items():
        seen, usual = now.seen(at, length), before.usual(at, length)
        for rule in RULES:
            low = window in rule.windows and usual > 0 and seen < rule.share * usual
            if low and surprise(seen, usual) > rule.nats:
                bad[rule.name] = True
    silent = at - last_order
    if silent > DAY:
        missed = sum(before.usual(then, DAY) for then in range(at, last_order + DAY, -HOUR)) / 24
        bad[NO_ORDERS] = missed > critical(limits.DROUGHT_SURPRISE_NATS)
    for name, state in bad.items():
        held[name] = held.get(name, 0) + 1 if state else 0
    return {name: held[name] > 1 for name in NAMES}


def false_alarms(steps: Sequence[int]) -> dict[str, int]:
    """Return how often each alert began to fire; less than an hour apart is one episode."""
    history, held = History.of(steps), dict[str, int]()
    last_firing, found, last_order = dict.fromkeys(NAMES, -WEEK), dict.fromkeys(NAMES, 0), 0
    for at in range(len(steps)):
        last_order = at if steps[at] else last_order
        if at < (BASELINE_WEEKS + 1) * WEEK:
            continue
        for name, state in fires(history, history, at, held, last_order).items():
            if state:
                found[name] += at - last_firing[name] > HOUR
                last_firing[name] = at
    return found


def delays(steps: Sequence[int], random: Random) -> dict[str, list[float]]:
    """Return, by alert, the hours from a total stop to firing; infinite if not within LONGEST_STOP."""
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    healthy = History.of(steps)
    for _ in range(STOPS):
        stop = random.randrange((BASELINE_WEEKS + 1) * WEEK, len(steps) - LONGEST_STOP)
        dead = History.of([*steps[:stop], *([0] * LONGEST_STOP)])
        last_order = max(at for at in range(stop) if steps[at])
        held, first = dict[str, int](), dict.fromkeys(NAMES, math.inf)
        for at in range(stop, stop + LONGEST_STOP):
            for name, state in fires(dead, healthy, at, held, last_order).items():
                if state:
                    first[name] = min(first[name], (at - stop) * STEP / 3600)
        for name, hours in first.items():
            found[name].append(hours)
    return found


def row(per_day: int, years: int, seed: int, hours: Hours = shape, note: str = "") -> str:
    """Return the table's line for a size of shop."""
    random = Random(f"{seed}/{per_day}")  # noqa: S311 - a simulation, to be repeated exactly
    steps = orders(per_day, BASELINE_WEEKS + 1 + 52 * years, random, hours)
    alarms, late = false_alarms(steps), delays(steps, random)
    cells = [f"{per_day:,}{note}"]
    for name in NAMES:
        middle = median(late[name])
        seen = f"not in {LONGEST_STOP // DAY} days" if math.isinf(middle) else f"{middle:.1f} h"
        cells.append(f"{alarms[name] / years:.1f} / {seen}")
    return "| " + " | ".join(cells) + " |"


def table(years: int, seed: int, sizes: Sequence[int] = SIZES) -> str:
    """Return the whole table in Markdown."""
    head = "| orders a day | " + " | ".join(f"`{name}`" for name in NAMES) + " |"
    rows = [row(size, years, seed) for size in sizes]
    rows.append(row(WEEKDAY_SIZE, years, seed, office_hours, ", none at weekends"))
    return "\n".join([head, "| ---: " * (len(NAMES) + 1) + "|", *rows])


def main() -> int:
    """Print the table, or write it into docs/alerts.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--years", type=int, default=2, help="simulated years of a healthy shop")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="put the table into docs/alerts.md")
    options = parser.parse_args()
    text = table(options.years, options.seed)
    print(text)
    if options.write:
        page = ROOT / "docs" / "alerts.md"
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
