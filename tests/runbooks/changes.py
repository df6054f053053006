"""Which blocks that change something run on a demo, with what filled in, and why the others do not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tests.runbooks.pages import Block
from tests.runbooks.splitting import commands, program_of

ON_A_DEMO: Final = frozenset(
    {"amtool", "curl", "kill", "magento-exporter", "mysql", "rabbitmqctl", "redis-cli", "varnishadm"}
)
"""Programs that act on what a demo has. A block with one of them runs there."""

ELSEWHERE: Final[Mapping[str, str]] = {
    "bin/magento": "the sandbox has no Magento: the allow-lists check its commands and settings",
    "n98-magerun2": "the sandbox has no Magento: the allow-list checks its commands",
    "rabbitmq-plugins": "changes the broker's installation, which the demo's broker does not read",
    "truncate": "the demo has no log that fills a disk",
    "systemctl": "the demo's servers are no services of systemd; game days play the starts that end a fault",
}
"""Why a block of these programs alone does not run."""

NOT_THERE: Final[Mapping[str, str]] = {
    r"/V1/guest-carts": "the demo's storefront has no REST API",
    r"sentinel set": "the demo has no Sentinels",
    r"redis-cli config rewrite": "the demo's Redis has no configuration file",
}
"""What a block must not have to run, though the demo has its programs."""

_HELPERS: Final = frozenset({"cat", "cd", "echo", "export"})

_RUNNING_STATEMENT: Final = """\
mysql -e "SELECT SLEEP(60)" > /dev/null 2>&1 &
sleep 1
{name}=$(mysql -N -e "SELECT id FROM information_schema.PROCESSLIST
                      WHERE info = 'SELECT SLEEP(60)' LIMIT 1")"""

FILLED: Final[Mapping[str, str]] = {
    "CONNECTION=number-from-the-check": _RUNNING_STATEMENT.format(name="CONNECTION"),
    "CONNECTION=number-from-the-process-list": _RUNNING_STATEMENT.format(name="CONNECTION"),
    "CONNECTION_ID=0": _RUNNING_STATEMENT.format(name="CONNECTION_ID"),
    "DATABASE=": "DATABASE=0",
    "SETTING=payment/code/active": "SETTING=payment/nobody/active",
    "FROM_HOST=host-from-doctor": "FROM_HOST=127.0.0.1",
    "JOB_CODE=name-from-the-list": "JOB_CODE=indexer_update_all_views",
    "JOB_CODE=name-from-the-query": "JOB_CODE=indexer_update_all_views",
    "MESSAGE_ID=0": 'MESSAGE_ID=$(mysql -N -e "SELECT MAX(id) FROM ${PREFIX}queue_message_status")',
    "OLDEST_ID=0": 'OLDEST_ID=$(mysql -N -e "SELECT MIN(entity_id) FROM ${PREFIX}sales_${DOCUMENT}")',
    "PID=number-from-ps": "sleep 60 > /dev/null 2>&1 &\nPID=$!",
    "SILENCE_ID=00000000-0000-0000-0000-000000000000": (
        "SILENCE_ID=$(amtool silence add alertname=None --alertmanager.url=$ALERTMANAGER --duration=1m"
        " --author=on-call --comment=filled)"
    ),
    "UUID=00000000-0000-0000-0000-000000000000": (
        "UUID=$(mysql -N -e \"SELECT COALESCE(MAX(bulk_uuid), 'none') FROM ${PREFIX}magento_operation\")"
    ),
}
"""Lines in which the reader puts something in, and what a test puts in: it matches something of the demo."""

_EXAMPLE: Final = re.compile(r"""^[A-Z_]+=[^\s"'$]*$""", re.MULTILINE)
"""An assignment of a value that is neither quoted nor computed."""


def examples(block: Block) -> list[str]:
    """Return the lines that wait for the reader's value."""
    return _EXAMPLE.findall(block.text)


def filled(block: Block) -> Block:
    """Return the block with values of the demo in place of its examples."""
    return replace(block, text=_EXAMPLE.sub(lambda line: FILLED[line[0]], block.text))


def programs(block: Block) -> set[str]:
    """Return the programs that a block runs."""
    return {program_of(words) for words in commands(block)}


def runs_on_a_demo(block: Block) -> bool:
    """Tell whether a test runs the block on a demo."""
    return bool(programs(block) & ON_A_DEMO) and not any(
        re.search(pattern, block.text) for pattern in NOT_THERE
    )


def why_not(block: Block) -> list[str]:
    """Return what keeps the block from being run; empty if nothing is known."""
    missing = [why for pattern, why in NOT_THERE.items() if re.search(pattern, block.text)]
    acting = programs(block) - _HELPERS
    return missing or [ELSEWHERE[program] for program in sorted(acting) if acting <= ELSEWHERE.keys()]
