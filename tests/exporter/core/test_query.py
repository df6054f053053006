from dataclasses import replace

import pytest

from exporter.core.query import Query
from exporter.errors import SpecError

JOBS = Query("jobs", "SELECT job_code FROM {cron_schedule} LIMIT 5", reads={"cron_schedule": ("job_code",)})
CHANGES = Query(
    "changes",
    "SELECT MAX(version_id) AS v FROM {changelog} JOIN {mview_state} USING (version_id)",
    reads={"changelog": ("version_id",), "mview_state": ("version_id",)},
    named={"changelog": "<view>_cl"},
)


def test_tables_are_quoted_and_prefixed() -> None:
    assert JOBS.text() == "SELECT job_code FROM `cron_schedule` LIMIT 5"
    assert JOBS.text("shop1_") == "SELECT job_code FROM `shop1_cron_schedule` LIMIT 5"


@pytest.mark.parametrize("reads", [{}, {"a": ("x",), "b": ("y",)}, {"b": ("x",)}])
def test_what_is_read_must_be_what_the_text_names(reads: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(SpecError, match="q"):
        Query("q", "SELECT x FROM {a}", reads=reads)


def test_a_name_for_a_table_that_is_not_read_is_refused() -> None:
    with pytest.raises(SpecError, match="names"):
        Query("q", "SELECT x FROM {a}", reads={"a": ("x",)}, named={"b": "<b>"})


def test_a_run_time_table_shows_its_pattern_until_it_is_filled_in() -> None:
    assert "`p_<view>_cl`" in CHANGES.text("p_")
    filled = CHANGES.on(changelog="price_cl")
    assert (
        filled.text("p_")
        == "SELECT MAX(version_id) AS v FROM `p_price_cl` JOIN `p_mview_state` USING (version_id)"
    )
    assert "<view>_cl" in CHANGES.text()


def test_run_time_tables_can_be_filled_in_one_after_the_other() -> None:
    two = Query(
        "two", "SELECT a FROM {x} JOIN {y}", reads={"x": ("a",), "y": ("a",)}, named={"x": "<x>", "y": "<y>"}
    )
    assert two.on(x="a_cl").on(y="b_cl").text() == "SELECT a FROM `a_cl` JOIN `b_cl`"


@pytest.mark.parametrize("table", ["", "a`b", "a b", "a.b", "a;", "a" * 65, "tablé", "a\n"])
def test_only_identifiers_fill_a_run_time_table(table: str) -> None:
    with pytest.raises(SpecError, match="changes"):
        CHANGES.on(changelog=table)


@pytest.mark.parametrize("placeholder", ["mview_state", "other"])
def test_only_declared_run_time_tables_can_be_filled_in(placeholder: str) -> None:
    with pytest.raises(SpecError, match="changes"):
        CHANGES.on(**{placeholder: "a_cl"})


def test_parameters_are_left_for_the_driver() -> None:
    query = Query("q", "SELECT x FROM {a} WHERE x > %(after)s", reads={"a": ("x",)})
    assert query.text() == "SELECT x FROM `a` WHERE x > %(after)s"


TOP = Query(
    "tops",
    "SELECT %(store)s AS store_id, MAX(sequence_value) AS top FROM {sequence}",
    reads={"sequence": ("sequence_value",)},
    named={"sequence": "sequence_order_<store_id>"},
)


def test_a_union_reads_each_ones_own_table_with_its_own_parameters() -> None:
    query = Query.union([TOP.on(sequence="sequence_order_1"), TOP.on(sequence="sequence_order_2")])
    assert query.name == "tops"
    assert query.text("p_").split("\nUNION ALL\n") == [
        "SELECT %(store_0)s AS store_id, MAX(sequence_value) AS top FROM `p_sequence_order_1`",
        "SELECT %(store_1)s AS store_id, MAX(sequence_value) AS top FROM `p_sequence_order_2`",
    ]
    assert query.reads == {"sequence_0": ("sequence_value",), "sequence_1": ("sequence_value",)}


def test_a_union_shares_the_tables_that_are_known_beforehand() -> None:
    one = Query("a", "SELECT code FROM {store} WHERE store_id = %(id)s", reads={"store": ("code",)})
    query = Query.union([one, one])
    assert query.reads == {"store": ("code",)}
    assert query.text().count("FROM `store` WHERE store_id = %(id_") == 2


HINTED = Query(
    "hinted",
    "SELECT id FROM {orders} AS o {index orders} JOIN {items} ON items.id = o.id WHERE o.id > %(after)s",
    reads={"orders": ("id",), "items": ("id",)},
    index={"orders": ("id",)},
)


def test_an_index_is_named_where_the_shop_has_it() -> None:
    assert "FROM `p_orders` AS o JOIN `p_items`" in HINTED.text("p_")
    named = HINTED.text("p_", {"orders": "PRIMARY"})
    assert "FROM `p_orders` AS o FORCE INDEX (`PRIMARY`) JOIN `p_items`" in named


def test_an_index_of_a_table_that_the_text_does_not_name_is_refused() -> None:
    for index in ({}, {"items": ("id",)}):
        with pytest.raises(SpecError, match="indexes"):
            replace(HINTED, index=index)


def test_a_union_keeps_the_index_of_each_ones_own_table() -> None:
    one = Query(
        "one", "SELECT id FROM {log} {index log}", reads={"log": ("id",)}, named={"log": "<x>_log"},
        index={"log": ("id",)},
    )  # fmt: skip
    both = Query.union([one.on(log="a_log"), one.on(log="b_log")])
    assert both.index == {"log_0": ("id",), "log_1": ("id",)}
    assert " ".join(both.text(indexes={"log_1": "PRIMARY"}).split()) == (
        "SELECT id FROM `a_log` UNION ALL SELECT id FROM `b_log` FORCE INDEX (`PRIMARY`)"
    )
