"""Every query and every read-only command of every runbook works on a living shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import faults
from sandbox.servers.redis import Redis
from sandbox.stack import ENDPOINTS, URLS
from tests.runbooks.__main__ import outcomes, show
from tests.runbooks.demo import watched_shop
from tests.runbooks.pages import Page, pages
from tests.runbooks.shell import Range, Shell

ALL = pages()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    with watched_shop(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("page", ALL, ids=[page.name for page in ALL])
def test_what_a_page_looks_at_can_be_looked_at(shop: Range, page: Page) -> None:
    failed = [show(outcome) for outcome in outcomes(shop, page) if outcome.complaint]
    assert not failed, "\n".join(failed)


@pytest.mark.slow
def test_a_block_that_fails_is_told(shop: Range) -> None:
    broken = {
        "a program that is not there": "```bash read-only\nno-such-program\necho done\n```\n",
        "a failure inside a pipe": '```bash read-only\nmysql -e "SELECT nothing" | head -n 1\n```\n',
        "a query that is none": "```promql\nrate(up)\n```\n",
        "a label that the alert has not": '```promql\nup{store="$STORE"}\n```\n',
    }
    for what, text in broken.items():
        [outcome] = outcomes(shop, Page("MagentoCronStopped", text))
        assert outcome.complaint, what


def test_the_repair_of_a_full_redis_acts_on_it_and_ends_the_fault(tmp_path: Path) -> None:
    urls = dict.fromkeys(("exporter", "prometheus", "alertmanager", "shop"), "http://127.0.0.1:9")
    with Redis(tmp_path / "redis") as redis:
        database = {"socket": "none", "name": "none", "prefix": ""}
        endpoints = {"database": database, "redis": {"port": redis.port}}
        (tmp_path / URLS).write_text(json.dumps(urls))
        (tmp_path / ENDPOINTS).write_text(json.dumps(endpoints))
        faults.switch_on(tmp_path, "redis-full")
        redis.refuse_writes()
        page = next(page for page in ALL if page.name == "MagentoSessionWritesRefused")
        shell = Shell(Range(tmp_path), {})
        for block in Page(page.name, page.part("First five minutes")).blocks():
            if block.language == "bash":
                outcome = shell.run(block)
                assert not outcome.complaint, outcome.complaint
                assert ("redis-full" in faults.switched_on(tmp_path)) == (block.effect == "read-only")
        with redis.client("session") as client:
            assert client.hset("sess_new", "data", "kept") == 1
