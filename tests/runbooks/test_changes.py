"""Every block that changes something is run on a demo, or it is known why not."""

from __future__ import annotations

import re

from tests.runbooks.changes import (
    ELSEWHERE,
    FILLED,
    NOT_THERE,
    examples,
    filled,
    programs,
    runs_on_a_demo,
    why_not,
)
from tests.runbooks.pages import Block, pages

CHANGES = [block for page in pages() for block in page.blocks() if block.effect == "changes-state"]


def test_each_runs_on_a_demo_or_there_is_a_reason() -> None:
    neither = [block.text for block in CHANGES if not runs_on_a_demo(block) and not why_not(block)]
    assert neither == []


def test_no_reason_is_left_over() -> None:
    left = [block for block in CHANGES if not runs_on_a_demo(block)]
    assert ELSEWHERE.keys() <= set.union(*map(programs, left))
    assert all(any(re.search(pattern, block.text) for block in left) for pattern in NOT_THERE)


def test_each_example_is_filled_in() -> None:
    wanted = {line for block in CHANGES if runs_on_a_demo(block) for line in examples(block)}
    assert wanted == FILLED.keys()


def test_filling_in() -> None:
    block = Block(
        "bash", "changes-state", 'DATABASE=\nOLD=$(redis-cli dbsize)\nredis-cli -n "$DATABASE" ping\n'
    )
    assert filled(block).text == 'DATABASE=0\nOLD=$(redis-cli dbsize)\nredis-cli -n "$DATABASE" ping\n'


def test_what_is_unknown_has_no_reason() -> None:
    reboot = Block("bash", "changes-state", "reboot\nsystemctl start varnish\n")
    assert not runs_on_a_demo(reboot)
    assert why_not(reboot) == []
