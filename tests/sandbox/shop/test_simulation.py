"""The simulation's own rules, without servers."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.errors import SandboxError
from sandbox.shop.__main__ import main
from sandbox.shop.builders.history import weight
from sandbox.shop.simulation import Component, Endpoints, Faults, Pace, World, everything, run_all
from sandbox.shop.simulation.expressions import matches

SUNDAY_0100 = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "minutes", "expected"),
    [
        ("* * * * *", 17, True),
        ("*/5 * * * *", 15, True),
        ("*/5 * * * *", 16, False),
        ("0 1 * * *", 0, True),
        ("0 1 * * *", 60, False),
        ("30 6,15 * * *", 5 * 60 + 30, True),
        ("30 6,15 * * *", 14 * 60 + 30, True),
        ("30 6,15 * * *", 6 * 60 + 30, False),
        ("* * * * 0", 0, True),
        ("* * * * 1", 0, False),
        ("* * 22 11 *", 0, True),
        ("* * 23 11 *", 0, False),
    ],
)
def test_cron_expressions(expression: str, minutes: int, expected: bool) -> None:
    assert matches(expression, SUNDAY_0100 + timedelta(minutes=minutes)) is expected


def test_a_week_averages_to_about_the_usual_number_of_orders() -> None:
    hours = [weight(SUNDAY_0100 + timedelta(hours=hour)) for hour in range(7 * 24)]

    assert sum(hours) / len(hours) == pytest.approx(1, abs=0.1)
    assert max(hours) > 10 * min(hours)


def test_a_fault_is_a_file(tmp_path: Path) -> None:
    faults = Faults(tmp_path)

    assert not faults.on("payment-declined")
    (tmp_path / "payment-declined").write_text("braintree checkmo\n")

    assert faults.on("payment-declined")
    assert faults.words("payment-declined") == ["braintree", "checkmo"]
    assert faults.words("no-traffic") == ()


def test_minutes_shorten_with_the_pace() -> None:
    assert Pace().minute == 60
    assert Pace(20).minute == 3
    assert Pace(20).seconds(10) == 0.5


def world(directory: Path) -> World:
    return World(Endpoints({"host": "127.0.0.1", "port": 1, "name": "x", "user": "x"}), Faults(directory))


def test_the_same_seed_makes_the_same_choices(tmp_path: Path) -> None:
    first, second = world(tmp_path), world(tmp_path)

    assert first.random("shoppers").random() == second.random("shoppers").random()
    assert first.random("shoppers").random() != first.random("visitors").random()


def test_parts_have_names_of_their_own(tmp_path: Path) -> None:
    names = [part.name for part in everything(world(tmp_path))]

    assert len(names) == len(set(names))


class Failing(Component):
    name = "failing"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.resets = 0

    def step(self) -> float:
        raise ConnectionError

    def reset(self) -> None:
        self.resets += 1
        super().reset()


class Counting(Component):
    name = "counting"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.steps = 0

    def step(self) -> float:
        self.steps += 1
        if self.steps == 5:
            self.world.stopping.set()
        return 0.0


def test_a_failing_part_ends_no_other(tmp_path: Path) -> None:
    here = world(tmp_path)
    failing, counting = Failing(here), Counting(here)

    run_all(here, [failing, counting])

    assert counting.steps == 5
    assert failing.resets >= 1
    assert not [thread for thread in threading.enumerate() if thread.name in ("failing", "counting")]


def test_endpoints_that_cannot_be_read_are_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "endpoints.json").write_text(json.dumps({"redis": {}}))

    with pytest.raises(SandboxError, match="database"):
        Endpoints.read(tmp_path / "endpoints.json")
    assert main(["run", "--state-dir", str(tmp_path)]) == 2
    assert "endpoints.json" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--speed", "0"), ("--speed", "61"), ("--rate", "0")])
def test_an_impossible_pace_is_refused(tmp_path: Path, option: tuple[str, str]) -> None:
    assert main(["run", "--state-dir", str(tmp_path), *option]) == 2
