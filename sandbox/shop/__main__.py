"""`python -m sandbox.shop`: install a shop's database, or let a shop live on servers that run."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pymysql

from sandbox.errors import SandboxError
from sandbox.shop import bulk_history, install
from sandbox.shop.builders.legacy import add_legacy
from sandbox.shop.builders.shop import Shop
from sandbox.shop.schema import VERSIONS
from sandbox.shop.simulation import Endpoints, Faults, Pace, World, everything, run_all

CUSTOMERS = 30
FASTEST = 60.0
"""A minute of Magento's lasts a second at least: that is as fine as its columns are."""

WEEK_HOURS = 6
"""Length of the part of a past week that is written."""

OPEN_HOURS = 0.5
"""Younger orders of the seeded past are still open; a longer backlog would keep the order desk busy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 for a mistake of the user's."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except SandboxError as error:
        print(f"sandbox.shop: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.shop", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    setup = commands.add_parser("install", help="create tables, stores, catalogue and a short past")
    setup.add_argument(
        "--database-socket", required=True, help="Unix socket of MariaDB, where root may log in"
    )
    setup.add_argument("--database-name", required=True, help="database to fill; created when missing")
    setup.add_argument("--prefix", default="", help="table prefix")
    setup.add_argument("--version", default=VERSIONS[0], choices=VERSIONS, help="whose tables to create")
    setup.add_argument("--history-days", type=float, default=3.0, help="how long a past to write; 0 for none")
    setup.add_argument("--rate", type=float, default=4.0, help="orders per minute in all that past")
    setup.add_argument(
        "--weeks", type=int, default=0, help="also these hours of so many past weeks, to compare with"
    )
    setup.set_defaults(run=_install)
    run = commands.add_parser("run", help="let the shop live until SIGTERM")
    run.add_argument("--state-dir", type=Path, required=True, help="where endpoints.json and faults/ are")
    run.add_argument("--rate", type=float, default=4.0, help="orders per real minute, about")
    run.add_argument("--seed", type=int, default=1, help="the same seed makes the same choices")
    run.add_argument("--speed", type=float, default=1.0, help="Magento's minutes per real minute, up to 60")
    run.set_defaults(run=_run)
    return parser


def _install(options: argparse.Namespace) -> None:
    name = options.database_name
    try:
        with closing(
            pymysql.connect(unix_socket=options.database_socket, user="root", autocommit=True)
        ) as connection:
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{name}`")
                cursor.execute(f"USE `{name}`")
            shop = install(connection, version=options.version, prefix=options.prefix)
            _seed(shop)
            add_legacy(shop)
            for week in range(options.weeks, 0, -1):
                _past_week(shop, week, options.rate)
            _past(shop, options.history_days, options.rate)
    except pymysql.MySQLError as error:
        raise SandboxError(f"the shop could not be installed in {name}: {error}") from error


def _seed(shop: Shop) -> None:
    """Register some customer accounts."""
    with shop.database.transaction():
        for number in range(CUSTOMERS):
            shop.customers.register(list(shop.stores)[number % len(shop.stores)])


def _past(shop: Shop, days: float, rate: float) -> None:
    """Write a past with the pace that the living shop goes on with."""
    orders = round(days * 24 * 60 * rate)
    if orders:
        bulk_history(shop, orders=orders, days=days, shape=_even, open_hours=OPEN_HOURS)


def _past_week(shop: Shop, weeks: int, rate: float) -> None:
    """Write the hours around now as they were some weeks ago."""
    end = datetime.now(UTC) - timedelta(weeks=weeks) + timedelta(hours=WEEK_HOURS / 2)
    orders = round(WEEK_HOURS * 60 * rate)
    bulk_history(shop, orders=orders, days=WEEK_HOURS / 24, end=end, shape=_even, open_hours=0)


def _even(_hour: datetime) -> float:
    return 1.0


def _run(options: argparse.Namespace) -> None:
    if not 0 < options.speed <= FASTEST or options.rate <= 0:
        raise SandboxError(f"--speed must be above 0 and at most {FASTEST:g}, --rate above 0")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    world = World(
        Endpoints.read(options.state_dir / "endpoints.json"),
        Faults(options.state_dir / "faults"),
        Pace(options.speed),
        orders_per_minute=options.rate,
        seed=options.seed,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: world.stopping.set())
    run_all(world, everything(world))


if __name__ == "__main__":
    sys.exit(main())
