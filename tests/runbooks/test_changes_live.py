"""Every command of a runbook that changes something works on the shop that it was written for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from alerts.catalogue import catalogue
from promql.metrics import SHOP
from tests.runbooks.__main__ import show
from tests.runbooks.changes import filled, runs_on_a_demo
from tests.runbooks.demo import watched_shop
from tests.runbooks.pages import Block, Page, pages
from tests.runbooks.shell import Outcome, Range, Shell

REFUSED = re.compile(r"^(\(error\) )?(ERR|MISCONF|NOAUTH|NOPERM|OOM|WRONGTYPE) \w", re.MULTILINE)
"""How redis-cli prints an error; its exit code is 0."""

BEFORE = {
    "MagentoCronTableBloated": """
        INSERT INTO ${PREFIX}cron_schedule (job_code, status, created_at, scheduled_at)
        SELECT 'indexer_update_all_views', 'success', NOW() - INTERVAL 5 DAY, NOW() - INTERVAL 5 DAY
        FROM seq_1_to_6000""",
}
"""What the alert of a page is about, where the demo has none of it."""


def changing(page: Page) -> list[Block]:
    return [block for block in page.blocks() if block.effect == "changes-state" and runs_on_a_demo(block)]


PAGES = [page for page in pages() if changing(page)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    with watched_shop(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_what_a_page_changes_can_be_changed(shop: Range, page: Page) -> None:
    alert = next(alert for alert in catalogue().all if alert.runbook == page.name)
    shell = Shell(shop, shop.labels(alert))
    prepare(shell, page)
    failed = []
    for block in changing(page):
        outcome = checked(shell.run(filled(block)))
        if "amtool silence add" in block.text and not outcome.complaint:
            outcome = replace(outcome, complaint=unlike_a_silence(shop, shell))
        failed += [show(outcome)] if outcome.complaint else []
    assert not failed, "\n".join(failed)


def prepare(shell: Shell, page: Page) -> None:
    if page.name in BEFORE:
        made = shell.run(Block("bash", "changes-state", f'mysql -e "{BEFORE[page.name]}"'))
        assert not made.complaint


def checked(outcome: Outcome) -> Outcome:
    refused = REFUSED.search(outcome.output)
    return replace(outcome, complaint=refused[0]) if refused and not outcome.complaint else outcome


def unlike_a_silence(shop: Range, shell: Shell) -> str:
    """Expire what was silenced; return what is wrong with it.

    An empty value silences every place that lacks the label, a label that the alert has not silences none.
    """
    silences = httpx.get(f"{shop.urls['alertmanager']}/api/v2/silences", trust_env=False).json()
    active = [silence for silence in silences if silence["status"]["state"] == "active"]
    for silence in active:
        expired = shell.run(
            Block("bash", "", f'amtool silence expire {silence["id"]} --alertmanager.url="$ALERTMANAGER"')
        )
        assert not expired.complaint
    if len(active) != 1:
        return f"{len(active)} silences"
    matchers = {matcher["name"]: matcher["value"] for matcher in active[0]["matchers"]}
    name = matchers.pop("alertname")
    alert = next(alert for alert in catalogue().all if alert.name == name)
    strange = matchers.keys() - {*alert.series_labels, *SHOP}
    return "" if all(matchers.values()) and not strange else f"{name} has not {matchers}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["redis-cli nonsense", 'mysql -e "DELETE FROM nothing"', "varnishadm nonsense"]
)
def test_a_change_that_fails_is_told(shop: Range, text: str) -> None:
    assert checked(Shell(shop, {}).run(Block("bash", "changes-state", text))).complaint
