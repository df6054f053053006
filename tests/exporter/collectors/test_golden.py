"""Every collector says about the reference shop exactly what its page says: a change must be meant."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.collectors import all_collectors
from exporter.collectors.database_server import LONGEST
from exporter.core.collector import Collector
from exporter.core.render import OPENMETRICS_END, Format, join
from sandbox.servers.mysql import ON_MYSQL
from tests.exporter.collectors.golden import at_rest, page_of, path_of, without_collector
from tests.exporter.collectors.story import Story, life_of

COLLECTORS = all_collectors()
HOW = "run `python -m tests.exporter.collectors.golden update`, and look at the difference"

every_collector = pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.name)


OTHERWISE_ON_MYSQL = ("carts", "expected_orders", "order_states", "orders")
"""Collectors whose page differs on MySQL: probably its RAND(seed) makes the shop another past."""


_SERVER = re.compile(r'(?<=service=)"(mariadb|mysql)",version="[\d.]+"')
"""`make matrix` has others than the page; the tests of database_server look at what they are called."""


@every_collector
def test_the_page_is_as_it_was(reference: Story, collector: type[Collector]) -> None:
    if ON_MYSQL and collector.name in OTHERWISE_ON_MYSQL:
        # On MariaDB, that is in `make test`, it always runs. Only `make matrix` has a MySQL.
        pytest.skip("the shop has another past on MySQL")
    path = path_of(collector)
    assert path.exists(), HOW
    page, known = (_SERVER.sub("", text) for text in (page_of(collector, reference), path.read_text("utf-8")))
    assert page.splitlines() == known.splitlines(), HOW


@every_collector
def test_every_metric_is_on_the_page(collector: type[Collector]) -> None:
    """What no page shows, no test looks at. A metric of several collectors is on one of their pages."""
    for metric in collector.metrics:
        if metric is LONGEST:
            continue  # it needs PROCESS, which the user of these tests does not have
        pages = [path_of(kind).read_text(encoding="utf-8") for kind in COLLECTORS if metric in kind.metrics]
        assert any(f"# TYPE {metric.name} " in page for page in pages), metric.name


@every_collector
def test_some_counter_moves(reference: Story, collector: type[Collector]) -> None:
    assert at_rest(collector, reference) == ""


def test_a_collector_without_a_life_is_told_what_to_write() -> None:
    class Newcomer(Collector):
        name = "newcomer"

    with pytest.raises(
        LookupError, match=r"^newcomer: write tests/exporter/collectors/newcomer/life\.py; .*$"
    ):
        life_of(Newcomer)


def test_a_page_whose_counters_are_all_0_is_refused(
    reference: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = next(kind for kind in COLLECTORS if kind.name == "customers")
    assert at_rest(collector, reference) == ""
    before = {"customers": reference.states["customers"][:1]}  # its first run counts nothing
    monkeypatch.setattr(reference, "states", reference.states | before)
    assert at_rest(collector, reference).endswith("tests/exporter/collectors/customers/life.py move them")


def test_no_page_outlives_its_collector() -> None:
    assert without_collector(COLLECTORS) == []


def test_the_whole_scrape_can_be_read_by_both_parsers(reference: Story) -> None:
    pages = [states[-1].exposition for states in reference.states.values()]
    text = join(pages, Format.TEXT).decode()
    openmetrics = (join(pages, Format.OPENMETRICS) + OPENMETRICS_END).decode()
    families = parse_openmetrics(openmetrics)  # type: ignore[no-untyped-call]
    one = [series for family in parse_text(text) for series in map(_key, family.samples)]
    other = [series for family in families for series in map(_key, family.samples)]
    assert one
    assert len(set(one)) == len(one)
    assert sorted(one) == sorted(other)


def _key(sample: Any) -> tuple[str, tuple[tuple[str, str], ...]]:
    return sample.name, tuple(sorted(sample.labels.items()))
