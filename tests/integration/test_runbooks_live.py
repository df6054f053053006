"""Every query and every read-only command of every runbook works on a living shop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.process import wait_until
from tests.dashboards.live import EVERY_COLLECTOR, demo, holds
from tests.runbooks.__main__ import outcomes, show
from tests.runbooks.pages import Page, pages
from tests.runbooks.shell import Range

ALL = pages()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    with demo(tmp_path_factory.mktemp("shop"), "--scrape-seconds", "2") as running:
        wait_until(holds(running.asker, EVERY_COLLECTOR), seconds=180, what="every collector has run")
        yield Range(running.state)


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
