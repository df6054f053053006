"""Every cell of the matrix that happens in this process, on real servers.

For each: the source fails as it should and says so in one line, the others go on, no counter of selling
is wrong, nothing is left open, and all is well afterwards without help.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from exporter.app import build
from exporter.core.runner import Outcome
from exporter.settings import validate
from tests.system.fault_matrix.cells import TABLE, Cell, Fails, RoleDown, Unharmed
from tests.system.fault_matrix.proxy import Mode
from tests.system.fault_matrix.world import Footprint, World, settings_of, world_in

pytestmark = pytest.mark.slow

MOST_LINES = 5
"""For a fault that lasts. One of the whole machine may write twice as many, and its end as many again."""

SCRAPES = 3
"""While the fault lasts, after it was noticed."""

RUN = [
    (source, fault)
    for source, cells in TABLE.items()
    for fault, cell in cells.items()
    if isinstance(cell, Fails | RoleDown | Unharmed)
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture(scope="module")
def footprint(world: World) -> Footprint:
    """What may be held: a leak adds up over the cells, and in the thousand scrapes."""
    for _ in range(SCRAPES):
        world.scrape()
    return Footprint.now().most(world)


def source_of(name: str) -> str:
    """Return the source in magento_source_up."""
    if name.startswith("redis") or name == "sentinel":
        return "redis"
    return "database" if name == "state file" else name


def role_of(name: str) -> str:
    return "session" if name == "sentinel" else name.removeprefix("redis ")


@pytest.mark.parametrize(("source", "fault"), RUN, ids=[f"{source}: {fault}" for source, fault in RUN])
def test_cell(world: World, footprint: Footprint, source: str, fault: str) -> None:
    cell = TABLE[source][fault]
    world.settled()
    world.wait_for(world.healthy, "a healthy shop")
    before, errors = world.selling(), errors_of(world)
    world.lines.said.clear()
    with cell.make(world):  # type: ignore[union-attr]  # RUN has only cells that are made
        if isinstance(cell, Fails) and cell.buys:
            world.place_an_order()
        world.wait_for(lambda: as_expected(world, source, cell, rescrape=True), "the fault is noticed")
        for _ in range(SCRAPES):
            assert as_expected(world, source, cell, rescrape=True), world.described()
            shown = world.selling()
            assert {series: shown[series] for series in shown if shown[series] != before.get(series)} == {}
            assert world.attempts() <= world.placed
        check_the_others(world, source, cell, errors)
        check_lines(world, cell)
    world.settled()
    world.wait_for(world.healthy, "healing")
    world.wait_for(
        lambda: bool(world.scrape()) and world.orders() == world.placed, "every order counted once"
    )
    assert {series for series, value in before.items() if world.selling()[series] < value} == set()
    assert len(world.lines.said) <= 4 * MOST_LINES, world.lines.said
    world.wait_for(lambda: bool(world.scrape()) and Footprint.now().within(footprint), "nothing left open")


def as_expected(world: World, source: str, cell: Cell, *, rescrape: bool) -> bool:
    """Whether the page says of the source what it should."""
    if rescrape:
        world.scrape()
    kind = source_of(source)
    states = world.states_of(kind)
    if isinstance(cell, Unharmed):
        judged = world.exporter.runner.states.values() if cell.alone else states
        return all(state.outcome is Outcome.OK for state in judged)
    if isinstance(cell, RoleDown):
        down = {role for role in world.redis if world.role_up(role) is False}
        return down == {role_of(source)} and all(state.outcome is Outcome.OK for state in states)
    assert isinstance(cell, Fails)
    failing = [state for state in states if state.outcome is Outcome.FAILING]
    right = bool(failing) and {state.reason for state in failing} <= cell.reasons
    return right and (len(failing) == len(states) or not cell.every) and world.up()[kind] is cell.up


def errors_of(world: World) -> dict[str, int]:
    """Return how often each collector has failed."""
    return {name: sum(state.errors.values()) for name, state in world.exporter.runner.states.items()}


def check_the_others(world: World, source: str, cell: Cell, errors: dict[str, int]) -> None:
    """No collector of another source has failed, and no other source is down."""
    if not cell.alone:  # type: ignore[union-attr]  # RUN has only cells that are made
        return
    kind = source_of(source)
    states = world.exporter.runner.states
    other = {name for name, state in states.items() if state.collector.source != kind}
    now = errors_of(world)
    assert {name: now[name] - errors[name] for name in other if now[name] != errors[name]} == {}
    assert {name for name, up in world.up().items() if not up} <= {kind}


def check_lines(world: World, cell: Cell) -> None:
    """One line tells the operator, and few others are written."""
    said = world.lines.said
    everybody = not cell.alone  # type: ignore[union-attr]  # RUN has only cells that are made
    assert len(said) <= (2 * MOST_LINES if everybody else MOST_LINES), said
    if isinstance(cell, Unharmed):
        assert everybody or said == []
    elif isinstance(cell, Fails | RoleDown):
        assert [line for line in said if re.search(cell.says, line)], said


def test_two_exporters_on_one_user(world: World, footprint: Footprint) -> None:
    """As in a rolling update: with the limit that `grants` prints, both work and count alike."""
    settings = settings_of(world, world.home / "second.state")
    second = build(validate(settings))
    world.database.execute(f"ALTER USER {world.user} WITH MAX_USER_CONNECTIONS 10")
    try:
        for _ in range(SCRAPES):
            world.loop.run_until_complete(second.runner.scrape(deadline=60))
            world.scrape()
        world.place_an_order()
        world.wait_for(lambda: bool(world.scrape()) and world.orders() == world.placed, "the order")
        for state in second.runner.states.values():
            state.attempted_at = 0.0
        world.loop.run_until_complete(second.runner.scrape(deadline=60))
        failing = {s.name: s.reason for s in second.runner.states.values() if s.outcome is Outcome.FAILING}
        assert failing == {}
        assert world.healthy(), world.described()
    finally:
        world.loop.run_until_complete(second.close())
        world.database.execute(f"ALTER USER {world.user} WITH MAX_USER_CONNECTIONS 0")
    world.wait_for(lambda: bool(world.scrape()) and Footprint.now().within(footprint), "nothing left open")


def test_a_thousand_scrapes_under_changing_faults_leave_nothing(world: World, footprint: Footprint) -> None:
    """Each fault of the network comes and goes, on one source after the other, in the middle of scrapes."""
    modes = (Mode.PASS, Mode.REFUSE, Mode.PASS, Mode.RESET, Mode.PASS, Mode.FOREIGN)
    proxies = ("database", "cache", "rabbitmq", "sentinel", "session", "page_cache")
    for number in range(1000):
        if number % 5 == 0:
            turn = number // 5
            name = proxies[turn // len(modes) % len(proxies)]
            mode = modes[turn % len(modes)]
            if name != "rabbitmq" or mode is not Mode.FOREIGN:  # waits for its time limit at each scrape
                world.proxy(name, mode)
        world.scrape()
    for name in proxies:
        world.proxy(name, Mode.PASS)
    world.settled()
    world.wait_for(world.healthy, "healing")
    world.wait_for(lambda: bool(world.scrape()) and Footprint.now().within(footprint), "nothing left open")
    assert world.orders() == world.placed
