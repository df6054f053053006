"""One shop for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.servers.mariadb import MariaDB
from tests.harness.shop import ShopInMariaDB, shop_in_mariadb


@pytest.fixture(scope="module")
def observed(mariadb: MariaDB) -> Iterator[ShopInMariaDB]:
    with shop_in_mariadb(mariadb) as shop:
        yield shop
