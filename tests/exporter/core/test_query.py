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
