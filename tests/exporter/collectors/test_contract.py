"""Every database collector in every kind of shop: right samples, or success 0 with a bounded reason.

A collector is run by the real runner, on a real MariaDB with Magento's true tables, as a user who holds
exactly the rights that its queries declare. A new collector is covered by being in the package.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import pairwise

import pytest

from exporter.collectors import all_collectors
from exporter.core.collector import Collector
from exporter.core.runner import CollectorState, Outcome
from exporter.errors import REASONS, ExporterError, SpecError
from exporter.sources.database import DatabaseLimits
from sandbox.servers.mariadb import MariaDB
from sandbox.shop import schema
from tests.harness.shop import (
    LAST,
    LATER,
    NOW,
    Place,
    Story,
    Watch,
    database_collectors,
    described,
    make_place,
    run_at,
    series_of,
    set_time,
)

COLLECTORS = database_collectors(all_collectors())
OUR_FAULT = {ExporterError.reason, SpecError.reason}

every_collector = pytest.mark.parametrize(
    "collector", COLLECTORS, ids=[collector.name for collector in COLLECTORS]
)


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def assert_fine(slots: list[CollectorState]) -> None:
    assert [described(slot) for slot in slots if slot.outcome is not Outcome.OK] == []


def assert_bounded(slot: CollectorState) -> None:
    """Right, or failed for a reason that is the shop's and not ours."""
    if slot.outcome is not Outcome.OK:
        assert slot.reason in REASONS
        assert slot.reason not in OUR_FAULT, described(slot)


@every_collector
def test_a_healthy_shop(reference: Story, collector: type[Collector]) -> None:
    slots = reference.slots[collector.name]
    assert_fine(slots)
    assert all(slot.exposition.dropped == 0 for slot in slots)
    assert slots[-1].exposition.series > 0


@every_collector
def test_counters_never_fall_and_something_moves(reference: Story, collector: type[Collector]) -> None:
    pages = [series_of(slot) for slot in reference.slots[collector.name]]
    for before, after in pairwise(pages):
        for series, value in before.items():
            if series.split("{")[0].endswith("_total"):
                assert after.get(series, 0.0) >= value, series
    assert pages[0] != pages[-1] or not pages[0]


@pytest.fixture(scope="module")
def prefixed(shop_server: MariaDB, stack: ExitStack) -> Story:
    return Story(make_place(shop_server, stack, prefix="m2_"))


@every_collector
def test_a_table_prefix_changes_nothing(
    reference: Story, prefixed: Story, collector: type[Collector]
) -> None:
    for one, other in zip(reference.slots[collector.name], prefixed.slots[collector.name], strict=True):
        assert described(other) == described(one)
        assert series_of(other) == series_of(one)


@pytest.fixture(scope="module")
def split(shop_server: MariaDB, stack: ExitStack) -> Story:
    return Story(make_place(shop_server, stack, split=True))


@every_collector
def test_a_split_database_changes_nothing(reference: Story, split: Story, collector: type[Collector]) -> None:
    """Carts and orders live in databases of their own: every query knows where."""
    for one, other in zip(reference.slots[collector.name], split.slots[collector.name], strict=True):
        assert described(other) == described(one)
        assert series_of(other) == series_of(one)


@pytest.fixture(scope="module")
def elsewhere(shop_server: MariaDB, stack: ExitStack) -> Iterator[Story]:
    shop_server.execute("SET GLOBAL time_zone = '+05:30'")
    try:
        yield Story(make_place(shop_server, stack))
    finally:
        shop_server.execute("SET GLOBAL time_zone = 'SYSTEM'")


@every_collector
def test_a_server_in_another_time_zone_changes_nothing(
    reference: Story, elsewhere: Story, collector: type[Collector]
) -> None:
    for one, other in zip(reference.slots[collector.name], elsewhere.slots[collector.name], strict=True):
        assert described(other) == described(one)
        assert series_of(other) == series_of(one)


@pytest.fixture(scope="module", params=schema.VERSIONS[1:])
def older(request: pytest.FixtureRequest, shop_server: MariaDB, stack: ExitStack) -> Story:
    return Story(make_place(shop_server, stack, version=request.param))


@every_collector
def test_an_older_version(reference: Story, older: Story, collector: type[Collector]) -> None:
    """Every collector works on every version; what an index of 2.4.7 makes cheap may be absent before."""
    now, then = reference.slots[collector.name], older.slots[collector.name]
    assert_fine(then)
    for one, other in zip(now, then, strict=True):
        newer, old = series_of(one), series_of(other)
        assert {name: value for name, value in old.items() if newer.get(name, value) != value} == {}


def empty(place: Place) -> None:
    """Leave only what no shop can be without: its stores and its settings."""
    kept = {"store", "store_group", "store_website", "core_config_data"}
    with place.server.connect(place.database) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for table in place.reads(*COLLECTORS).keys() - kept:
            cursor.execute(f"TRUNCATE TABLE `{place.prefix}{table}`")


@pytest.fixture(scope="module")
def empty_place(shop_server: MariaDB, stack: ExitStack) -> Place:
    place = make_place(shop_server, stack)
    empty(place)
    return place


@every_collector
def test_empty_tables(empty_place: Place, collector: type[Collector]) -> None:
    watch = Watch(collector, None)
    assert_fine([run_at(empty_place, watch, now, collector) for now in (NOW, LATER)])


@pytest.fixture(scope="module")
def emptied(shop_server: MariaDB, stack: ExitStack) -> Story:
    return Story(make_place(shop_server, stack), change=empty)


@every_collector
def test_tables_that_are_emptied_between_two_scrapes(emptied: Story, collector: type[Collector]) -> None:
    assert_fine(emptied.slots[collector.name])


def rewrite(
    place: Place, changes: Callable[[str, Sequence[str]], Sequence[str]], *, spared: Collection[str]
) -> None:
    """Change all rows of all tables that are read, but of those that are spared."""
    with place.server.connect(place.database) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0, sql_mode = ''")
        for table, columns in place.reads(*COLLECTORS).items():
            if table not in spared and (assignments := changes(table, columns)):
                cursor.execute(f"UPDATE `{place.prefix}{table}` SET {', '.join(assignments)}")


def nothing(place: Place) -> None:
    """Set every column that may be NULL to NULL."""

    def nulls(table: str, columns: Sequence[str]) -> list[str]:
        nullable = place.columns(table)
        return [f"`{column}` = NULL" for column in columns if nullable[column]]

    rewrite(place, nulls, spared={"core_config_data"})


@pytest.fixture(scope="module")
def nulls(shop_server: MariaDB, stack: ExitStack) -> Story:
    return Story(make_place(shop_server, stack), change=nothing)


@every_collector
def test_null_wherever_the_schema_allows_it(nulls: Story, collector: type[Collector]) -> None:
    assert_fine(nulls.slots[collector.name])


def without_stores(place: Place) -> None:
    """Let all rows belong to stores and websites that are gone, as a split database or an import may."""

    def elsewhere(_table: str, columns: Sequence[str]) -> list[str]:
        return [f"`{name}` = `{name}` + 900" for name in ("store_id", "website_id") if name in columns]

    rewrite(place, elsewhere, spared={"store", "store_website"})


@pytest.fixture(scope="module")
def orphaned(shop_server: MariaDB, stack: ExitStack) -> Story:
    return Story(make_place(shop_server, stack), change=without_stores)


@every_collector
def test_several_stores_that_are_gone_share_one_label(orphaned: Story, collector: type[Collector]) -> None:
    assert_fine(orphaned.slots[collector.name])


@every_collector
def test_a_missing_table(reference: Story, collector: type[Collector]) -> None:
    place, watch = reference.place, Watch(collector, None)
    assert_fine(reference.slots[collector.name])
    for table in place.reads(collector):
        place.server.execute(f"RENAME TABLE `{table}` TO `{table}_away`", database=place.database)
        try:
            slot = run_at(place, watch, LAST, collector)
        finally:
            place.server.execute(f"RENAME TABLE `{table}_away` TO `{table}`", database=place.database)
        assert_bounded(slot)
        assert slot.outcome is Outcome.OK or slot.reason in {"missing_table", "denied"}, (
            f"{table}: {described(slot)}"
        )


@every_collector
def test_a_missing_right(reference: Story, collector: type[Collector]) -> None:
    """Each column that a collector declares is one that it needs, or one whose absence it can live with."""
    place, watch = reference.place, Watch(collector, None)
    assert_fine(reference.slots[collector.name])
    user = place.user(collector)
    for table, columns in place.reads(collector).items():
        where = f"`{place.database}`.`{table}`"
        place.server.execute(f"REVOKE SELECT (`{columns[0]}`) ON {where} FROM {user}@'%'")
        try:
            slot = run_at(place, watch, LAST, collector)
        finally:
            place.server.execute(f"GRANT SELECT (`{columns[0]}`) ON {where} TO {user}@'%'")
        assert_bounded(slot)
        assert slot.outcome is Outcome.OK or slot.reason in {"denied", "missing_table"}, (
            f"{table}: {described(slot)}"
        )


@every_collector
def test_a_locked_table_is_a_time_out(reference: Story, collector: type[Collector]) -> None:
    """A long ALTER TABLE of the shop's upgrade: the collector gives up within its limits."""
    place, watch = reference.place, Watch(collector, None)
    assert_fine(reference.slots[collector.name])
    set_time(place.server, LAST)
    table = next(table for query in collector.queries for table in query.reads if table not in query.named)
    quick = DatabaseLimits(lock_wait=1, statement=20, read=30, pause_after_failure=0)
    with (
        place.server.connect(place.database) as other,
        other.cursor() as cursor,
        closing(place.open(collector, limits=quick)) as source,
    ):
        cursor.execute(f"LOCK TABLES `{table}` WRITE")
        watch.use(source)
        slot = watch.scrape(LAST)
        assert (slot.outcome, slot.reason) == (Outcome.FAILING, "timeout")
        cursor.execute("UNLOCK TABLES")
        assert watch.scrape(LAST).outcome is Outcome.OK
