"""What the rules achieve, as it was measured in other ways too."""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.system.simulator.__main__ import pack
from tests.system.simulator.report import PAGE, play_fault, play_year
from tests.system.simulator.scenarios import faults, healthy

PACK: Final = pack()
MINUTES: Final[Mapping[str, tuple[int, int]]] = {
    "all placements fail, 720 a day": (35, 41),
    "all placements fail, 5,000 a day": (35, 38),
    "all placements fail, 5,000 a day, Black Friday 5x": (39, 42),
    "60 % fail, 5,000 a day": (150, 260),
    "orders stop, carts go on, 5,000 a day": (35, 39),
}
FAULTS: Final = {fault.name: fault for fault in faults()}


@pytest.mark.slow
@pytest.mark.parametrize("name", MINUTES)
def test_minutes_to_the_pager(name: str) -> None:
    least, most = MINUTES[name]
    found = sorted(play_fault(PACK, FAULTS[name], range(3)).minutes(PAGE))
    assert least <= found[1] <= most, found


@pytest.mark.slow
def test_public_holidays_page_offices() -> None:
    office = next(shop for shop in healthy() if shop.name == "offices, 120 a day")
    notified = play_year(PACK, office, [0]).notified
    assert 10 <= notified["page-commerce"]["MagentoOrderDroughtNoTraffic"] <= 15
