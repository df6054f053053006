"""The goals of the alerts about selling hold, and the page shows what was measured."""

import json

import pytest

from tests.system.simulator.__main__ import PAGE, SAVED, pack
from tests.system.simulator.report import TICKET, Outcome, Year, of_data, page, play_fault, play_year
from tests.system.simulator.scenarios import faults, healthy
from tests.system.simulator.servers import GROUPS, servers

PACK = pack()
SERVERS = {fault.name: fault for fault in servers() if fault.goal is not None}
FAULTS = {fault.name: fault for fault in faults() if fault.goal is not None}
SHOPS = {shop.name: shop for shop in healthy()}
OUTCOMES, YEARS = of_data(json.loads(SAVED.read_text()))
MISSED = frozenset({"all placements fail, 720 a day, Tuesday 10:15"})
"""Goals that are missed; docs/alerts.md says why."""


def test_the_page_shows_what_was_saved() -> None:
    text = PAGE.read_text()
    assert page(text, OUTCOMES, YEARS) == text


def test_everything_was_played() -> None:
    assert [one.fault for one in OUTCOMES] == [fault.name for fault in (*faults(), *servers())]
    assert [one.shop for one in YEARS] == list(SHOPS)
    wanted = {one.name: one.goal for one in (*FAULTS.values(), *SERVERS.values())}
    assert {one.fault: one.goal for one in OUTCOMES if one.goal is not None} == wanted


def test_the_goals_were_met_but_for_those_that_the_page_names() -> None:
    missed = {one.fault for one in OUTCOMES if not one.met} | {one.shop for one in YEARS if not one.met}
    assert missed == MISSED


def test_declined_cards_are_no_tickets() -> None:
    tickets = {one.shop: one.total(TICKET) for one in YEARS if "declines" in one.shop}
    assert len(tickets) == 5
    assert set(tickets.values()) == {0}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_pager_is_notified_in_time(name: str) -> None:
    outcome: Outcome = play_fault(PACK, FAULTS[name], range(3))
    assert outcome.met or name in MISSED, outcome.heard


@pytest.mark.parametrize("name", SERVERS)
def test_a_pager_is_notified_in_time_of_a_dead_server(name: str) -> None:
    outcome: Outcome = play_fault(pack(groups=GROUPS), SERVERS[name], [0])
    assert outcome.met, outcome.heard


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOPS)
def test_a_healthy_shop_calls_once_a_year_at_most(name: str) -> None:
    year: Year = play_year(PACK, SHOPS[name], [0])
    assert year.met or name in MISSED, year.notified
