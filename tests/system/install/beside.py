"""deploy/compose/beside-a-shop.yml, less Grafana, beside a shop on this machine, by podman-compose.

The arguments are those of ``composed``. Grafana's image cannot be had here. Those of Prometheus and
Alertmanager are Debian's programs under the names that the file uses, with the user and entry point of the
real ones (scripts/check_containers.sh).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.system.install.composed import Stack, wait_for
from tests.system.install.conftest import ENV_PHP, PROJECT, SECRET, RealShop
from tests.system.install.containers import Podman, say
from tests.system.install.stopwatch import a_shop

RUNBOOKS, GRAFANA = "https://exporter.example/runbooks/", "https://grafana.example"
SERVICES: Final = ("pack", "exporter", "prometheus", "alertmanager")
EXPORTER, WEB_SERVER = 9816, 33
OURS: Final = frozenset({9816, 9090, 9093, 9094})
LISTENING, LOOPBACK = "0A", "0100007F"


def main(arguments: Sequence[str]) -> int:
    cut = arguments.index("--")
    with tempfile.TemporaryDirectory(prefix="beside-") as name, ExitStack() as stack:
        home = Path(name)
        home.chmod(0o755)
        shop = a_shop(home, stack)
        beside = Stack(
            arguments[:cut],
            Podman(arguments[cut + 1 :]),
            "magento-beside-a-shop",
            SERVICES,
            given(home, shop),
        )
        stack.callback(beside.compose, "down", "--volumes", check=False)
        try:
            check(beside, shop)
        except BaseException:
            beside.describe()
            raise
    say("beside a shop: all is well")
    return 0


def given(home: Path, shop: RealShop) -> dict[str, str]:
    """Write the files of a shop, and return what the file's head tells a user to export."""
    env_php = home / "html" / ENV_PHP
    env_php.parent.mkdir(parents=True)
    password, extra = home / "password", home / "exporter.env"
    env_php.write_text(shop.env_php("magento-2.4.8-edited"))
    password.write_text(f"{SECRET}-observer")
    extra.write_text(f"MAGENTO_EXPORTER_RABBITMQ__URL={shop.broker.management_url}\n")
    for file, user, group, mode in ((env_php, 0, WEB_SERVER, 0o640), (password, EXPORTER, EXPORTER, 0o400)):
        os.chown(file, user, group)
        file.chmod(mode)
    return {
        "SHOP": "shop.example",
        "MAGENTO_ROOT": str(home / "html"),
        "RUNBOOK_BASE": RUNBOOKS,
        "GRAFANA_BASE": GRAFANA,
        "GRAFANA_PASSWORD": SECRET,
        "DATABASE_PASSWORD_FILE": str(password),
        "DATABASE_DIALECT": "mariadb",
        "ENV_PHP_GROUP": str(WEB_SERVER),
        "EXPORTER_ENVIRONMENT": str(extra),
        "ALERTMANAGER_SECRETS": str(home),
    }


def check(beside: Stack, shop: RealShop) -> None:
    statements = beside.compose("--profile", "grants", "run", "--rm", "-T", "grants")
    # podman-compose prints the ids of what it makes there, Docker Compose does not.
    statements = re.sub(r"^[0-9a-f]{64}$", "", statements, flags=re.MULTILINE)
    client = ["mariadb", f"--socket={shop.database.socket}", "--user=root"]
    subprocess.run(client, input=statements, text=True, check=True)
    beside.up()
    wait_for(
        "every target is up", lambda: "magento" in jobs(beside) and set(beside.targets().values()) == {"up"}
    )
    say(f"beside a shop: {len(SERVICES)} services; up in Prometheus: {', '.join(sorted(jobs(beside)))}")
    sources = 'count(magento_source_up{{shop="shop.example"}} == {})'
    wait_for("files, database, Redis, RabbitMQ answer", lambda: beside.value(sources.format(1)) == 4)
    assert beside.value(sources.format(0)) == 0
    assert beside.value("count(magento_collector_success == 0)") == 0
    wait_for("the watchdog reaches Alertmanager", lambda: beside.notified("MagentoWatchdog"))
    watchdog = beside.notified("MagentoWatchdog")
    assert watchdog["annotations"]["runbook_url"].startswith(RUNBOOKS), watchdog
    say(f"beside a shop: {watchdog['annotations']['runbook_url']} is linked by what Alertmanager has")
    assert sorted(open_to_all()) == [], open_to_all()
    volume = beside.podman("volume", "inspect", "--format", "{{.Mountpoint}}", f"{beside.project}_dashboards")
    written = {file.name for file in Path(volume.strip()).iterdir()}
    assert written == {file.name for file in (PROJECT / "dashboards/generated").glob("*.json")}
    for name in SERVICES:
        assert SECRET not in beside.podman.logs(beside.container(name)), name


def jobs(beside: Stack) -> set[str]:
    return {target.split()[0] for target in beside.targets()}


def all_up(beside: Stack) -> bool:
    return set(beside.targets().values()) == {"up"}


def open_to_all() -> list[int]:
    """Return our ports on which something listens beyond loopback."""
    found = []
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(file).read_text().splitlines()[1:]:
            words = line.split()
            address, _, port = words[1].partition(":")
            if words[3] == LISTENING and address != LOOPBACK and int(port, 16) in OURS:
                found.append(int(port, 16))
    return found


if __name__ == "__main__":
    os.environ.pop("DOCKER_HOST", None)
    sys.exit(main(sys.argv[1:]))
