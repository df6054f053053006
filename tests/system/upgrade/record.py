"""Records what an earlier version leaves: ``python -m tests.system.upgrade.record DIRECTORY``, a clone of it.

It lets that version look twice at the shop of the golden pages. Into ``recorded.json`` go its state, without
counters at 0 and all but a few of the quarters of an hour of history, the columns of which its ``grants``
gave the right, and its metrics.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sandbox.servers.mariadb import MariaDB
from tests.exporter.collectors.story import live_on, live_until
from tests.harness.shop import NOW, ShopInMariaDB, shop_in_mariadb

RECORDED: Final = Path(__file__).with_name("recorded.json")
QUARTERS: Final = 5

METRICS: Final = """
import json
from exporter.collectors import all_collectors
from exporter.core.self_metrics import SELF_METRICS
declared = [metric for kind in all_collectors() for metric in kind.metrics] + list(SELF_METRICS)
print(json.dumps({metric.name: sorted(metric.labels) for metric in declared}))
"""


def main(clone: Path) -> None:
    """Write the file."""
    with TemporaryDirectory() as name, MariaDB(Path(name) / "db") as server, shop_in_mariadb(server) as shop:
        state = Path(name) / "state"
        live_until(shop, NOW)
        _run(clone, shop, "collect", "--state-file", str(state))
        live_on(shop, NOW)
        _run(clone, shop, "collect", "--state-file", str(state))
        grants = _run(clone, shop, "grants", "--dialect", "mariadb")
        with sqlite3.connect(state) as database:
            memory = list(database.execute("SELECT namespace, key, value FROM memory ORDER BY 1, 2"))
    write(int(time.time()), memory, grants, _metrics(clone))


def write(at: int, memory: Iterable[tuple[str, str, str]], grants: str, metrics: Mapping[str, Any]) -> None:
    """Write what proves something, one fact a line."""
    rights = re.findall(r"GRANT SELECT \((.+?)\) ON `\w+`\.`(\w+)`", grants)
    parts: dict[str, Any] = {
        "state": list(_telling(memory)),
        "rights": [[table, columns.replace("`", "")] for columns, table in rights if table != "foreign_cl"],
        "metrics": [[name, *labels] for name, labels in metrics.items()],
    }
    lines = (
        f'"{part}": [\n' + ",\n".join(json.dumps(fact) for fact in facts) + "\n]"
        for part, facts in parts.items()
    )
    RECORDED.write_text(f'{{\n"at": {at},\n' + ",\n".join(lines) + "\n}\n")


def _telling(memory: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    quarters = 0
    for namespace, key, value in memory:
        quarters += namespace == "expected_orders/quarters"
        counter = "(" in namespace
        if not (counter and value.startswith('["0",')) and (
            quarters <= QUARTERS or "quarters" not in namespace
        ):
            yield namespace, key, value


def _metrics(clone: Path) -> Any:
    """Return the names of that version's metrics with their labels."""
    return json.loads(_python(clone, "-c", METRICS))


def _run(clone: Path, shop: ShopInMariaDB, *command: str) -> str:
    settings = {"socket": shop.server.socket, "user": "root", "name": shop.name}
    chosen = [word for name, value in settings.items() for word in ("--set", f"database.{name}={value}")]
    return _python(clone, "-m", "exporter", *command, *chosen)


def _python(clone: Path, *arguments: str) -> str:
    """Run that version. One of its collectors may fail: a module's own changelog took the indexers' along."""
    environment = {**os.environ, "PYTHONPATH": str(clone)}
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return result.stdout


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.system.upgrade.record DIRECTORY")
    main(Path(sys.argv[1]))
