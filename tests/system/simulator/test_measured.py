"""The goals of the alerts about selling hold."""

import pytest

from tests.system.simulator.__main__ import pack
from tests.system.simulator.report import Outcome, Year, play_fault, play_year
from tests.system.simulator.scenarios import faults, healthy

PACK = pack()
FAULTS = {fault.name: fault for fault in faults() if fault.goal is not None}
SHOPS = {shop.name: shop for shop in healthy()}
MISSED: frozenset[str] = frozenset()
"""Goals that are missed."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_pager_is_notified_in_time(name: str) -> None:
    outcome: Outcome = play_fault(PACK, FAULTS[name], range(3))
    assert outcome.met or name in MISSED, outcome.heard


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOPS)
def test_a_healthy_shop_calls_once_a_year_at_most(name: str) -> None:
    year: Year = play_year(PACK, SHOPS[name], [0])
    assert year.met or name in MISSED, year.notified
