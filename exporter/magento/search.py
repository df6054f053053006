r"""Where a shop's search engine is, and what its product indexes are called, as Magento says it.

Source: ``Magento\Elasticsearch\Model\Config`` for the settings, and
``Magento\Elasticsearch\Model\Adapter\Index\IndexNameResolver`` for the names: the alias
``<prefix>_product_<store id>`` leads to ``<prefix>_product_<store id>_v<number>``. Each full reindex makes
the next number and moves the alias.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from exporter.core.ports import Database, Locked
from exporter.core.query import Query
from exporter.errors import SourceError, UnexpectedAnswer

PREFIX: Final = "magento2"
"""Magento's own default (module-elasticsearch ``etc/config.xml``)."""

PORT: Final = "9200"

ENGINE_SETTINGS: Final = Query(
    "search_engine_settings",
    """
    SELECT path, value
    FROM {core_config_data}
    WHERE scope = 'default' AND scope_id = 0
      AND (path = 'catalog/search/engine'
           OR path LIKE 'catalog/search/%%\\_server\\_hostname'
           OR path LIKE 'catalog/search/%%\\_server\\_port'
           OR path LIKE 'catalog/search/%%\\_index\\_prefix'
           OR path LIKE 'catalog/search/%%\\_enable\\_auth'
           OR path LIKE 'catalog/search/%%\\_username')
    """,
    reads={"core_config_data": ("scope", "scope_id", "path", "value")},
)

_ENGINE: Final = "catalog/search/engine"
_SETTINGS: Final = ("server_hostname", "server_port", "index_prefix", "enable_auth", "username")
_INDEX: Final = re.compile(r"(?P<store>[0-9]+)(_v(?P<version>[0-9]+))?")


@dataclass(frozen=True, slots=True)
class Said:
    """What the exporter's own settings say, which wins over the shop's."""

    url: str = ""
    prefix: str = ""


NOTHING_SAID: Final = Said()


@dataclass(frozen=True, slots=True)
class Engine:
    """Where it is, how its indexes begin, and who the shop is to it (empty: nobody)."""

    url: str
    prefix: str
    user: str = ""

    @property
    def family(self) -> str:
        """What the names of all product indexes begin with."""
        return f"{self.prefix}_product_"

    def place(self, index: str) -> tuple[int, int | None] | None:
        """Return the store and the version in the name of an index; ``None`` for another one's."""
        found = _INDEX.fullmatch(index.removeprefix(self.family)) if index.startswith(self.family) else None
        if found is None:
            return None
        return int(found["store"]), int(found["version"]) if found["version"] else None


def engine_of(values: Iterable[Mapping[str, Any]], locked: Locked, own: Said = NOTHING_SAID) -> Engine:
    """Return the engine of the system configuration; raises if there is none that has a server."""
    known = {str(row["path"]): str(row["value"] or "") for row in values}

    def setting(path: str) -> str:
        return locked("default", "", path) or known.get(path, "")

    name = setting(_ENGINE)
    said = {key: setting(f"catalog/search/{name}_{key}") for key in _SETTINGS}
    if not (own.url or said["server_hostname"]):
        raise UnexpectedAnswer(f"the shop's search engine is {name or 'not set'}, which has no server there")
    scheme, _, host = said["server_hostname"].rpartition("://")
    address = f"{scheme or 'http'}://{host.rstrip('/')}:{said['server_port'] or PORT}"
    user = said["username"] if said["enable_auth"] == "1" else ""
    return Engine(own.url or address, own.prefix or said["index_prefix"] or PREFIX, user)


class ShopsEngine:
    """The engine that the shop's system configuration names, read anew every ten minutes.

    The last answer stands while the database gives none: the search engine is not the cause.
    """

    def __init__(
        self,
        database: Database,
        locked: Locked,
        own: Said = NOTHING_SAID,
        *,
        lifetime: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read nothing yet."""
        self._database = database
        self._locked = locked
        self._own = own
        self._lifetime = lifetime
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Engine | None = None
        self._read_at = 0.0

    def current(self) -> Engine:
        """Return the engine; raises :exc:`UnexpectedAnswer` if the database has never named one."""
        with self._lock:
            if self._known is None or self._clock() - self._read_at >= self._lifetime:
                self._read()
            assert self._known is not None  # noqa: S101 - else the reading has raised
            return self._known

    def _read(self) -> None:
        try:
            rows = self._database.rows(ENGINE_SETTINGS)
        except SourceError as error:
            if self._known is None:
                raise UnexpectedAnswer(
                    f"the database does not say where the search engine is: {error}"
                ) from None
            return
        self._known = engine_of(rows, self._locked, self._own)
        self._read_at = self._clock()
