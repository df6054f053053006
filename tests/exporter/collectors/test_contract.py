"""Every database collector in every kind of shop: right samples, or success 0 with a bounded reason.

A collector is run by the real runner, on a real MariaDB with Magento's true tables, as a user who holds
exactly the rights that its queries declare. A new collector is covered by being in the package.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import pairwise

import pytest

from exporter.core.collector import Collector
from exporter.core.runner import CollectorState, Outcome
from exporter.errors import REASONS, ExporterError, SpecError
from exporter.rights.statements import queries_of
from exporter.sources.database import DatabaseLimits
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import schema
from tests.exporter.collectors.story import DATABASE_COLLECTORS, LAST, LATER, Story, scrape
from tests.harness.runner import OneCollector, outcome_of, series_of
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

COLLECTORS = DATABASE_COLLECTORS
OUR_FAULT = {ExporterError.reason, SpecError.reason}

every_collector = pytest.mark.parametrize(
    "collector", COLLECTORS, ids=[collector.name for collector in COLLECTORS]
)


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def assert_fine(states: list[CollectorState]) -> None:
    assert [outcome_of(state) for state in states if state.outcome is not Outcome.OK] == []


def assert_bounded(state: CollectorState) -> None:
    """Right, or failed for a reason that is the shop's and not ours."""
    if state.outcome is not Outcome.OK:
        assert state.reason in REASONS
        assert state.reason not in OUR_FAULT, outcome_of(state)


@every_collector
def test_a_healthy_shop(reference: Story, collector: type[Collector]) -> None:
    states = reference.states[collector.name]
    assert_fine(states)
    assert all(state.exposition.dropped == 0 for state in states)
    assert states[-1].exposition.series > 0


@every_collector
def test_counters_never_fall_and_something_moves(reference: Story, collector: type[Collector]) -> None:
    pages = [series_of(state) for state in reference.states[collector.name]]
    for before, after in pairwise(pages):
        for series, value in before.items():
            if series.split("{")[0].endswith("_total"):
                assert after.get(series, 0.0) >= value, series
    assert pages[0] != pages[-1] or not pages[0]


SAME = {
    "a table prefix": {"prefix": "m2_"},
    "a split database": {"split": True, "prefix": "x_"},
    "a server in another time zone": {},
}
"""What changes nothing. Carts and orders of a split shop live in databases of their own."""


@pytest.fixture(scope="module", params=SAME)
def other(request: pytest.FixtureRequest, mariadb: MariaDB, stack: ExitStack) -> Iterator[Story]:
    if "time zone" in request.param:
        mariadb.execute("SET GLOBAL time_zone = '+05:30'")
    try:
        yield Story(stack.enter_context(shop_in_mariadb(mariadb, **SAME[request.param])))
    finally:
        mariadb.execute("SET GLOBAL time_zone = 'SYSTEM'")


@every_collector
def test_nothing_changes_with(reference: Story, other: Story, collector: type[Collector]) -> None:
    for one, same in zip(reference.states[collector.name], other.states[collector.name], strict=True):
        assert outcome_of(same) == outcome_of(one)
        assert series_of(same) == series_of(one)


@pytest.fixture(scope="module", params=schema.VERSIONS[1:])
def older(request: pytest.FixtureRequest, mariadb: MariaDB, stack: ExitStack) -> Story:
    """The oldest has a prefix and is split as well: all that an old shop may be."""
    oldest = {"prefix": "old_", "split": True} if request.param == schema.VERSIONS[-1] else {}
    return Story(stack.enter_context(shop_in_mariadb(mariadb, version=request.param, **oldest)))


STEPS = "magento_checkout_stage_reached_total"


@every_collector
def test_an_older_version(reference: Story, older: Story, collector: type[Collector]) -> None:
    """Every collector works on every version; what an index of 2.4.7 makes cheap may be absent before."""
    now, then = reference.states[collector.name], older.states[collector.name]
    assert_fine(then)
    for one, other in zip(now, then, strict=True):
        newer, old = series_of(one), series_of(other)
        differ = {name: value for name, value in old.items() if newer.get(name, value) != value}
        if one is not now[-1]:  # before 2.4.7 the steps of a new cart are read at once
            differ = {
                n: value for n, value in differ.items() if not (n.startswith(STEPS) and value > newer[n])
            }
        assert differ == {}


def empty(shop: ShopInMariaDB) -> None:
    """Leave only what no shop can be without: its stores and its settings."""
    kept = {"store", "store_group", "store_website", "core_config_data"}
    with shop.server.connect(shop.name) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for table in shop.reads(queries_of(COLLECTORS)).keys() - kept:
            cursor.execute(f"TRUNCATE TABLE `{shop.prefix}{table}`")


@pytest.fixture(scope="module")
def empty_shop(mariadb: MariaDB, stack: ExitStack) -> ShopInMariaDB:
    shop = stack.enter_context(shop_in_mariadb(mariadb))
    empty(shop)
    return shop


@every_collector
def test_empty_tables(empty_shop: ShopInMariaDB, collector: type[Collector]) -> None:
    one = OneCollector(collector)
    assert_fine([scrape(empty_shop, one, now) for now in (NOW, LATER)])


@pytest.fixture(scope="module")
def emptied(mariadb: MariaDB, stack: ExitStack) -> Story:
    return Story(stack.enter_context(shop_in_mariadb(mariadb)), change=empty)


@every_collector
def test_tables_that_are_emptied_between_two_scrapes(emptied: Story, collector: type[Collector]) -> None:
    assert_fine(emptied.states[collector.name])


def rewrite(
    shop: ShopInMariaDB, changes: Callable[[str, Sequence[str]], Sequence[str]], *, spared: Collection[str]
) -> None:
    """Change all rows of all tables that are read, but of those that are spared."""
    with shop.server.connect(shop.name) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0, sql_mode = ''")
        for table, columns in shop.reads(queries_of(COLLECTORS)).items():
            if table not in spared and (assignments := changes(table, columns)):
                cursor.execute(f"UPDATE `{shop.prefix}{table}` SET {', '.join(assignments)}")


def nothing(shop: ShopInMariaDB) -> None:
    """Set every column that may be NULL to NULL."""

    def nulls(table: str, columns: Sequence[str]) -> list[str]:
        nullable = shop.columns()[table]
        return [f"`{column}` = NULL" for column in columns if nullable[column]]

    rewrite(shop, nulls, spared={"core_config_data"})


@pytest.fixture(scope="module")
def nulls(mariadb: MariaDB, stack: ExitStack) -> Story:
    return Story(stack.enter_context(shop_in_mariadb(mariadb)), change=nothing)


@every_collector
def test_null_wherever_the_schema_allows_it(nulls: Story, collector: type[Collector]) -> None:
    assert_fine(nulls.states[collector.name])


def without_stores(shop: ShopInMariaDB) -> None:
    """Let all rows belong to stores and websites that are gone, as a split database or an import may."""

    def elsewhere(_table: str, columns: Sequence[str]) -> list[str]:
        return [f"`{name}` = `{name}` + 900" for name in ("store_id", "website_id") if name in columns]

    rewrite(shop, elsewhere, spared={"store", "store_website"})


@pytest.fixture(scope="module")
def orphaned(mariadb: MariaDB, stack: ExitStack) -> Story:
    return Story(stack.enter_context(shop_in_mariadb(mariadb)), change=without_stores)


@every_collector
def test_several_stores_that_are_gone_share_one_label(orphaned: Story, collector: type[Collector]) -> None:
    assert_fine(orphaned.states[collector.name])


@every_collector
def test_a_missing_table(reference: Story, collector: type[Collector]) -> None:
    shop, one = reference.shop, OneCollector(collector)
    assert_fine(reference.states[collector.name])
    for table in shop.reads(queries_of([collector])):
        shop.server.execute(f"RENAME TABLE `{table}` TO `{table}_away`", database=shop.name)
        try:
            state = scrape(shop, one, LAST)
        finally:
            shop.server.execute(f"RENAME TABLE `{table}_away` TO `{table}`", database=shop.name)
        assert_bounded(state)
        assert state.outcome is Outcome.OK or state.reason in {"missing_table", "denied"}, (
            f"{table}: {outcome_of(state)}"
        )


@every_collector
def test_a_missing_right(reference: Story, collector: type[Collector]) -> None:
    """Each column that a collector declares is one that it needs, or one whose absence it can live with."""
    shop, one = reference.shop, OneCollector(collector)
    assert_fine(reference.states[collector.name])
    user = shop.login(queries_of([collector]))
    for table, columns in shop.reads(queries_of([collector])).items():
        where = f"`{shop.name}`.`{table}`"
        shop.server.execute(f"REVOKE SELECT (`{columns[0]}`) ON {where} FROM {user}@'%'")
        try:
            state = scrape(shop, one, LAST)
        finally:
            shop.server.execute(f"GRANT SELECT (`{columns[0]}`) ON {where} TO {user}@'%'")
        assert_bounded(state)
        assert state.outcome is Outcome.OK or state.reason in {"denied", "missing_table"}, (
            f"{table}: {outcome_of(state)}"
        )


@pytest.mark.parametrize(
    "collector",
    [kind for kind in COLLECTORS if any(query.reads for query in kind.queries)],
    ids=lambda kind: kind.name,
)
def test_a_locked_table_is_a_time_out(reference: Story, collector: type[Collector]) -> None:
    """A long ALTER TABLE of the shop's upgrade: the collector gives up within its limits."""
    shop, one = reference.shop, OneCollector(collector)
    assert_fine(reference.states[collector.name])
    shop.set_clock(LAST)
    table = next(table for query in collector.queries for table in query.reads if table not in query.named)
    quick = DatabaseLimits(lock_wait=1, statement=20, read=30, pause_after_failure=0)
    with (
        shop.server.connect(shop.name) as other,
        other.cursor() as cursor,
        closing(shop.open(queries_of([collector]), limits=quick)) as source,
    ):
        cursor.execute(f"LOCK TABLES `{table}` WRITE")
        state = one.scrape(LAST, source)
        assert (state.outcome, state.reason) == (Outcome.FAILING, "timeout")
        cursor.execute("UNLOCK TABLES")
        assert one.scrape(LAST, source).outcome is Outcome.OK
