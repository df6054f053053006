"""What the settings switch on, and what a collector is given of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.app import context_factory
from exporter.backends import SOURCES, Backends, open_backends
from exporter.chosen import choose
from exporter.collectors import all_collectors
from exporter.core.memory import Memory, VolatileStore
from exporter.core.query import Connection
from exporter.errors import SpecError
from exporter.settings import Database, DatabaseServer, Settings


def test_a_collector_whose_source_is_not_configured_is_off_and_says_so() -> None:
    wanted, off = choose(Settings(), Backends().configured())
    assert wanted == []
    assert off.keys() == {collector.name for collector in all_collectors()}
    assert off["deployment"] == "the shop's directory (magento_root) is not configured"
    assert off["redis"] == "redis is not configured"


def test_the_shops_directory_switches_on_what_reads_its_files(tmp_path: Path) -> None:
    (tmp_path / "app/etc").mkdir(parents=True)
    (tmp_path / "app/etc/env.php").write_text("<?php return [];")
    settings = Settings(magento_root=tmp_path)
    wanted, _ = choose(settings, open_backends(settings).configured())
    assert [collector.name for collector in wanted] == ["deployment"]


@pytest.mark.parametrize("source", SOURCES)
def test_to_ask_for_a_source_that_is_not_configured_is_a_mistake_of_the_collector(source: str) -> None:
    context = context_factory(Settings(), Backends())(Memory(VolatileStore(), "any", 0.0), 0.0)
    absent = getattr(context, {"rabbitmq": "broker"}.get(source, source))
    with pytest.raises(SpecError, match=source):
        absent.ask()


def test_a_split_database_has_a_server_for_each_part_that_is_split_off() -> None:
    sales = DatabaseServer(name="sales")
    whole = Database()
    assert whole.servers() == {Connection.DEFAULT: whole}
    split = Database(sales=sales)
    assert split.servers() == {Connection.DEFAULT: split, Connection.SALES: sales}
