"""docs/cost.md from build/bench.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

Case = Mapping[str, Any]
MEASURES: Final = ("rows_read", "statements", "bytes_sent", "server_ms", "wall_ms", "cpu_ms")


class Goal(NamedTuple):
    """What one shop should cost at most, and what stands in the way where it costs more."""

    what: str
    most: float
    of: Callable[[Case], float]
    otherwise: str


GOALS: Final = (
    Goal(
        "rows a scrape",
        2_000,
        lambda case: case["total"]["rows_read"],
        "Most rows are carts: each change is read by three collectors, and again when it is settled and when"
        " it is half an hour old. Some 100 of them are read only because a change may wait for a lock for"
        " 50 s before it is seen. One reader for all three would save about a third, and tie their refresh"
        " intervals and failures together.",
    ),
    Goal(
        "statements a scrape",
        40,
        lambda case: case["total"]["statements"],
        "Each collector asks for itself, so that one that fails takes no other with it.",
    ),
    Goal(
        "rows of the largest run",
        5_000,
        lambda case: max(case["largest_run"].values()),
        "What a collector reads in one step is bounded by a number of rows for each of its looks.",
    ),
    Goal(
        "CPU ms a scrape",
        20,
        lambda case: case["total"]["cpu_ms"],
        "It is the work on each cart and order in Python: reading it, comparing it with what is remembered,"
        " and writing that to the state file. Counting in the database would be cheaper here and more"
        " expensive there, and would count nothing exactly once.",
    ),
    Goal(
        "resident MiB",
        75,
        lambda case: case["process"]["resident_mib"],
        "Imports alone take 68. PyMySQL loads cryptography for logins without TLS, also where none needs it.",
    ),
)
"""For three stores and a hundred orders a minute."""

TIMES_AT_500_STORES: Final = 2.0


def as_page(results: Mapping[str, Any]) -> str:
    """Return docs/cost.md."""
    return "\n".join(_lines(results)) + "\n"


def _lines(results: Mapping[str, Any]) -> Iterator[str]:
    cases: list[Case] = list(results["cases"].values())
    yield "# What the exporter costs\n"
    yield "<!-- Written by `make bench` (scripts/bench.py); measured, not edited. -->\n"
    yield (
        f"A shop with {results['orders_a_minute']} orders a minute and {results['carts_an_order']} carts an"
        f" order, scraped every {results['scrape_seconds']} s, on {results['cores']} cores. Averages of so"
        " many scrapes that a collector which runs once a minute counts by a quarter of a run.\n"
    )
    yield (
        "The rows are the sum of the server's `Handler_read_*` counters of the exporter's session. The column"
        " *server* has its busy time, which only MariaDB tells. The RSS is of an exporter that observes the"
        " database alone. The import of Redis' driver adds 8 MiB to it, an HTTP client 5. Times depend"
        " on the machine and on what else it does; rows and statements do not.\n"
    )
    yield (
        "Before these scrapes, the exporter has caught up with the shop: data and clock stand still, and"
        " every collector runs until a run changes nothing that it remembers. Then"
        f" {results['warm_up']} scrapes go by, half an hour, after which the last look is taken at a changed"
        " cart. [Catching up](#catching-up) says what the first part costs.\n"
    )
    yield from _totals(cases)
    yield from _goals(cases)
    yield from _collectors(cases)
    yield from _web(results.get("web"))
    yield from _impact(results.get("impact"))
    yield from _services(results.get("services"))
    yield from _settling(cases)
    yield from _statements(cases)
    yield from _peers(cases)


def _totals(cases: Sequence[Case]) -> Iterator[str]:
    yield "## In all\n"
    yield (
        "| server | stores | orders | rows | statements | largest run | server ms | wall ms | CPU ms"
        " | RSS MiB | first answer s | measured |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    for case in cases:
        total = case["total"]
        server = f"{total['server_ms']:.1f}" if total["server_ms"] else "-"
        yield (
            f"| {case['server']} | {case['stores']} | {case['orders']:,} | {total['rows_read']:,.0f}"
            f" | {total['statements']:.1f} | {max(case['largest_run'].values()):,.0f} | {server}"
            f" | {total['wall_ms']:.1f} | {total['cpu_ms']:.1f} | {case['process']['resident_mib']:.0f}"
            f" | {case['process']['start_seconds']:.1f} | {case['date']} |"
        )
    yield ""
    yield (
        "*Largest run* is the most that one run of one collector read, of all since the exporter has caught"
        " up: a collector that runs every ten minutes reads in one run what the average spreads over forty"
        " scrapes.\n"
    )
    yield from _ratios(cases)


def _goals(cases: Sequence[Case]) -> Iterator[str]:
    """Say of every goal whether it is met, by the newest case of three stores; and why not."""
    small = [case for case in cases if case["stores"] == 3]  # noqa: PLR2004
    if not small:
        return
    newest = max(small, key=lambda case: case["date"])
    yield f"## Goals: {_title(newest)}\n"
    yield "| goal | at most | measured | |"
    yield "|---|---:|---:|---|"
    missed = []
    for goal in GOALS:
        found = goal.of(newest)
        missed += [f"- {goal.what}: {goal.otherwise}"] if found > goal.most else []
        yield f"| {goal.what} | {goal.most:,.0f} | {found:,.1f} | {_word(found, goal.most)} |"
    for case in cases:
        same = ("server", "orders", "revision")
        if case["stores"] == 500 and all(case.get(name) == newest.get(name) for name in same):  # noqa: PLR2004
            times = case["total"]["rows_read"] / newest["total"]["rows_read"]
            yield (
                f"| rows at 500 stores, against 3 | {TIMES_AT_500_STORES:.0f} times | {times:.2f}"
                f" | {_word(times, TIMES_AT_500_STORES)} |"
            )
    yield ""
    if missed:
        yield "What stands in the way:\n"
        yield from missed
        yield ""


def _word(found: float, most: float) -> str:
    return "met" if found <= most else "**missed**"


def _ratios(cases: Sequence[Case]) -> Iterator[str]:
    """Say how rows grow: with orders, with stores, and on another server; each against one other case.

    Only what was measured of one revision is compared.
    """
    yield "| compared | rows | times |"
    yield "|---|---:|---:|"
    for one in cases:
        for other in cases:
            differ = [name for name in ("server", "stores", "orders") if one[name] != other[name]]
            same = one.get("revision", "") == other.get("revision", "")
            if same and len(differ) == 1 and cases.index(other) < cases.index(one):
                rows, before = one["total"]["rows_read"], other["total"]["rows_read"]
                yield (
                    f"| {_title(one)}, against {_value(other, differ[0])} | {rows:,.0f} to {before:,.0f}"
                    f" | {rows / before:.2f} |"
                )
    for case in cases:
        ours = case["total"]["rows_read"]
        theirs = sum(cost["rows_read"] for cost in case["peers"].values())
        yield (
            f"| {_title(case)}: the [unbounded statements](#beside-it-unbounded-statements) together, against"
            f" a scrape | {theirs:,.0f} to {ours:,.0f} | {theirs / ours:,.0f} |"
        )
    yield ""


def _title(case: Case) -> str:
    return f"{case['server']}, {case['stores']} stores, {case['orders']:,} orders"


def _value(case: Case, name: str) -> str:
    value = case[name]
    return value if name == "server" else f"{value:,} {name}"


def _collectors(cases: Sequence[Case]) -> Iterator[str]:
    for case in cases:
        yield f"## By collector: {_title(case)}\n"
        yield "| collector | rows | largest run | statements | bytes | server ms | wall ms | CPU ms |"
        yield "|---|---:|---:|---:|---:|---:|---:|---:|"
        for name, cost in case["collectors"].items():
            yield (
                f"| {name} | {cost['rows_read']:,.1f} | {case['largest_run'][name]:,.0f}"
                f" | {cost['statements']:.2f} | {cost['bytes_sent']:,.0f} | {cost['server_ms']:.2f}"
                f" | {cost['wall_ms']:.2f} | {cost['cpu_ms']:.2f} |"
            )
        yield ""


def _web(web: Mapping[str, Any] | None) -> Iterator[str]:
    if web is None:
        return
    yield "## The answer itself\n"
    yield (
        f"Measured {web['date']}. Collectors that cost nothing, so that what remains is running them,"
        " rendering and serving. *Bare* is an ASGI application that serves the same bytes, on the same"
        " server. *Blocked* is the longest that the event loop did nothing else. Scrapers ask again as soon"
        " as they have their answer.\n"
    )
    yield (
        "| series | bytes | scrapers | scrapes a second | samples a second | CPU ms | bare CPU ms | times"
        " | wall ms | bare wall ms | blocked ms | RSS MiB |"
    )
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for row in web["rows"]:
        ours, bare = row["ours"], row["bare"]
        times = ours["cpu_ms"] / max(bare["cpu_ms"], 0.01)
        yield (
            f"| {row['series']:,} | {row['bytes']:,} | {row['scrapers']} | {ours['rate']:,.1f}"
            f" | {ours['rate'] * row['series']:,.0f} | {ours['cpu_ms']:.2f} | {bare['cpu_ms']:.2f}"
            f" | {times:.1f} | {ours['wall_ms']:.1f} | {bare['wall_ms']:.1f}"
            f" | {ours['blocked_ms']:.1f} | {ours['resident_mib']:.0f} |"
        )
    yield ""


def _impact(impact: Mapping[str, Any] | None) -> Iterator[str]:
    if impact is None:
        return
    yield "## What the shop feels\n"
    yield (
        f"Measured {impact['date']}: {impact['clients']} clients that place orders one after the other, in"
        f" {impact['windows']} windows of {impact['seconds']} s, every second one with the exporter"
        f" scraped every {impact['scrape_seconds']} s. All of it, clients included, on {impact['cores']}"
        " cores.\n"
    )
    yield "| | orders a second | spread | median ms | p99 ms | deadlocks |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, word in (("without", "without the exporter"), ("with", "with the exporter")):
        found = impact[name]
        yield (
            f"| {word} | {found['rate']:.1f} | {min(found['rates']):.1f} to {max(found['rates']):.1f}"
            f" | {found['median_ms']:.2f} | {found['p99_ms']:.2f} | {found['deadlocks']} |"
        )
    without, including = impact["without"], impact["with"]
    yield (
        f"\nWith the exporter: {including['rate'] / without['rate']:.3f} times the orders a second,"
        f" {including['p99_ms'] / without['p99_ms']:.3f} times the p99. *Spread* is from the slowest to"
        " the fastest window of a kind; a difference within it is none.\n"
    )


def _services(services: Mapping[str, Any] | None) -> Iterator[str]:
    if services is None:
        return
    yield "## Search engine, PHP-FPM, Redis and named locks\n"
    yield (
        f"Measured {services['date']}. The search engine is a program that gives answers of OpenSearch's form"
        f" with {services['versions']} indexes a store. The others are real, and count what they are"
        " asked themselves. Per run of the collector; *runs* is how many of them come to a scrape.\n"
    )
    yield "| | requests | bytes | wall ms | CPU ms | runs |"
    yield "|---|---:|---:|---:|---:|---:|"
    for row in services["rows"]:
        size = "-" if row["bytes"] is None else f"{row['bytes']:,.0f}"
        yield (
            f"| {row['what']} | {row['requests']:.0f} | {size} | {row['wall_ms']:.1f} | {row['cpu_ms']:.1f}"
            f" | {row['runs_a_scrape']:.2f} |"
        )
    yield ""


def _settling(cases: Sequence[Case]) -> Iterator[str]:
    yield "## Catching up\n"
    yield (
        "What a new exporter reads once, in steps of one run at a time at the collector's usual pace: the"
        " orders of 58 days for the expectation, the orders and documents of a day that could still miss"
        " their e-mail or grid row, the carts of an hour. Later starts go on from the state file.\n"
    )
    yield "| collector |" + "".join(f" runs: {_title(case)} | rows | largest run |" for case in cases)
    yield "|---|" + "---:|---:|---:|" * len(cases)
    for name in cases[0]["settling"]:
        costs = (case["settling"].get(name) for case in cases)  # an older case lacks a newer collector
        cells = (
            f" {c['runs']:,} | {c['rows_read']:,.0f} | {c['largest_run']:,.0f} |" if c else " - | - | - |"
            for c in costs
        )
        yield f"| {name} |" + "".join(cells)
    yield ""


def _statements(cases: Sequence[Case]) -> Iterator[str]:
    yield "## By statement\n"
    yield (
        "Rows a scrape, and the most that one execution read at any time, catching up included."
        " Their text is in [statements.md](statements.md).\n"
    )
    yield "| statement |" + "".join(f" rows: {_title(case)} | largest |" for case in cases)
    yield "|---|" + "---:|---:|" * len(cases)
    for name in sorted({name for case in cases for name in case["statements"]}):
        found = [
            (case["statements"].get(name, {}).get("rows_read", 0.0), case["largest_statement"].get(name, 0.0))
            for case in cases
        ]
        yield f"| {name} |" + "".join(f" {rows:,.1f} | {largest:,.0f} |" for rows, largest in found)
    yield ""


def _peers(cases: Sequence[Case]) -> Iterator[str]:
    yield "## Beside it: unbounded statements\n"
    yield "Statements of the kind that other exporters run at every scrape, once on the same data.\n"
    yield "| statement | " + " | ".join(f"rows: {_title(case)} | ms" for case in cases) + " |"
    yield "|---|" + "---:|---:|" * len(cases)
    for name in cases[0]["peers"]:
        found = (case["peers"][name] for case in cases)
        yield (
            f"| {name} | " + " | ".join(f"{c['rows_read']:,.0f} | {c['wall_ms']:,.0f}" for c in found) + " |"
        )
