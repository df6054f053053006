"""Every fault has a panel that shows it, three clicks from the Overview at most; links lead down and back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from dashboards.catalogue import DASHBOARDS
from dashboards.lib.links import Link
from dashboards.lib.page import TAG, Dashboard
from dashboards.lib.panels import Table
from dashboards.lib.uids import OVERVIEW
from exporter.core.panels import panel_id
from sandbox.faults import FAULTS
from tests.dashboards.incidents import PLAY, SIGNS
from tests.dashboards.reading import RENDERED

PAGES = {page.uid: page for page in DASHBOARDS}
Place = tuple[str, str]
"""A dashboard and the key of one of its panels."""


def links(page: Dashboard, key: str) -> Iterator[Link]:
    """Yield the links to dashboards of a panel, those of its rows included."""
    panel = page.panel(key)
    given = (
        [*panel.all_links(), *(column.link for column in panel.columns if column.link)]
        if isinstance(panel, Table)
        else panel.all_links()
    )
    yield from (link for link in given if isinstance(link, Link))


def clicks() -> dict[Place, int]:
    """Return how many clicks each panel is away from the Overview.

    A link leads to one panel; from there one more click shows the dashboard that it is on.
    """
    found = dict.fromkeys(places(OVERVIEW), 0)
    edge = list(found)
    while edge:
        here = edge.pop(0)
        uid, key = here
        led = [(link.uid, link.panel) for link in links(PAGES[uid], key) if link.panel]
        for place in (*led, *places(uid)):
            if place not in found:
                found[place] = found[here] + 1
                edge.append(place)
    return found


def places(uid: str) -> list[Place]:
    return [(uid, panel.key) for panel in PAGES[uid].panels()]


def test_every_fault_has_a_sign_and_is_played_once() -> None:
    assert set(SIGNS) == {fault.name for fault in FAULTS}
    assert sorted(name for act in PLAY for name in act) == sorted(SIGNS)


@pytest.mark.parametrize("fault", SIGNS)
def test_the_panel_of_each_fault_is_three_clicks_away_at_most(fault: str) -> None:
    sign = SIGNS[fault]
    panel = PAGES[sign.dashboard].panel(sign.panel)
    assert sign.query < len(panel.asks)
    known = panel.asks[sign.query].expr.labels
    assert known is not None
    assert set(sign.labels) <= known
    assert clicks()[sign.dashboard, sign.panel] <= 3


def test_every_panel_of_the_overview_leads_one_level_deeper() -> None:
    page = PAGES[OVERVIEW]
    for panel in page.panels():
        assert {link.uid for link in links(page, panel.key)} - {OVERVIEW} or panel.key == "alerts", panel.key
    assert [link.panel for link in links(page, "alerts")] == ["alert_list"]


def test_every_dashboard_is_one_click_below_the_overview() -> None:
    page = PAGES[OVERVIEW]
    reached = {link.uid for panel in page.panels() for link in links(page, panel.key)}
    assert reached == set(PAGES)


@pytest.mark.parametrize("uid", RENDERED)
def test_from_every_dashboard_a_click_leads_back_with_shop_store_and_time(uid: str) -> None:
    (ladder,) = RENDERED[uid]["links"]
    assert (ladder["type"], ladder["tags"]) == ("dashboards", [TAG])
    assert ladder["keepTime"] is ladder["includeVars"] is ladder["asDropdown"] is True
    assert TAG in RENDERED[OVERVIEW]["tags"]


@pytest.mark.parametrize("page", DASHBOARDS, ids=lambda page: page.uid)
def test_a_link_shows_the_panel_that_it_names(page: Dashboard) -> None:
    for panel in page.panels():
        for link in links(page, panel.key):
            shown = re.findall(r"viewPanel=(\d+)", link.url)
            assert shown == ([str(panel_id(link.uid, link.panel))] if link.panel else [])
            assert not link.panel or PAGES[link.uid].panel(link.panel)
