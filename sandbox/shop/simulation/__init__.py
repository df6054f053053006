"""The shop at work: shoppers, merchant, cron, indexers and consumers, each a part in its own thread.

A part that loses its server says so once and tries again; the others go on. Faults are files in the
state directory's `faults`; each part looks at those that concern it.
"""

from collections.abc import Sequence

from sandbox.shop import magento
from sandbox.shop.simulation.backoffice import Merchandiser, OrderDesk, Visitors
from sandbox.shop.simulation.cron import CronBloat, CronGroup
from sandbox.shop.simulation.edge import Browser, Maintenance, Purger
from sandbox.shop.simulation.indexing import JOBS as INDEX_JOBS
from sandbox.shop.simulation.jobs import JOBS as DEFAULT_JOBS
from sandbox.shop.simulation.messaging import AmqpConsumers, BulkWorker, DatabaseConsumers
from sandbox.shop.simulation.sessions import RedisUser
from sandbox.shop.simulation.shoppers import CardTesters, Shoppers
from sandbox.shop.simulation.tampering import Tampering
from sandbox.shop.simulation.world import Component, Endpoints, Faults, Pace, World, run_all

__all__ = ["Component", "Endpoints", "Faults", "Pace", "World", "everything", "run_all"]

BROWSERS = 3
PAGES_PER_ORDER = 60
"""Page views for each order placed; together the browsers ask for this many."""


def everything(world: World) -> Sequence[Component]:
    """Return all parts of the simulation."""
    pages_per_second = world.orders_per_minute * PAGES_PER_ORDER / 60 / BROWSERS
    groups = magento.CRON_GROUPS
    return (
        Shoppers(world),
        CardTesters(world),
        *(Browser(world, number, pages_per_second) for number in range(1, BROWSERS + 1)),
        Visitors(world),
        OrderDesk(world),
        Merchandiser(world),
        Purger(world),
        Maintenance(world),
        Tampering(world),
        CronGroup(world, groups["default"], DEFAULT_JOBS),
        CronGroup(world, groups["index"], INDEX_JOBS),
        CronGroup(world, groups["consumers"], {}),
        CronGroup(world, groups["analytics"], {}),
        CronBloat(world),
        DatabaseConsumers(world),
        BulkWorker(world),
        AmqpConsumers(world),
        RedisUser(world),
    )
