"""Every query and every read-only command of every runbook works on a living shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pymysql
import pytest

from sandbox import faults
from sandbox.process import wait_until
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


@pytest.mark.slow
def test_the_page_of_a_blocked_database_names_the_thread_that_blocks(shop: Range) -> None:
    (page,) = (page for page in ALL if page.name == "MagentoDatabaseBlocked")
    blocks = Page(page.name, page.part("First five minutes")).blocks()
    block = next(block for block in blocks if block.language == "bash")
    database = shop.endpoints["database"]
    with ExitStack() as stack:
        holds, waits, sees = (
            stack.enter_context(
                closing(
                    pymysql.connect(unix_socket=database["socket"], user="root", database=database["name"])
                )
            )
            for _ in range(3)
        )
        lock = f"SELECT * FROM {database['prefix']}store_website FOR UPDATE"
        holds.cursor().execute(lock)
        waiting = stack.enter_context(ThreadPoolExecutor()).submit(waits.cursor().execute, lock)
        # Not by the view: InnoDB does not renew it while it is read more often than ten times a second.
        waits_now = "SHOW STATUS WHERE Variable_name = 'Innodb_row_lock_current_waits' AND Value > 0"
        wait_until(lambda: bool(sees.cursor().execute(waits_now)), seconds=20, what="nobody waits")
        seen = Shell(shop, {}).run(block)
        holds.rollback()
        waiting.result(20)
    assert not seen.complaint
    head, *rows = (line.split("\t") for line in seen.output.splitlines())
    (shown,) = (
        row
        for row in (dict(zip(head, row, strict=True)) for row in rows)
        if row["thread"] == str(holds.thread_id())
    )
    assert (shown["user"], shown["wait_for_it"], shown["waits_itself"]) == ("root", "1", "0")
    assert "FOR UPDATE" in shown["one_that_waits"]


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
