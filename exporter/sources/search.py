"""The shop's search engine, OpenSearch or Elasticsearch: its product indexes and their aliases."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from exporter.errors import AccessDenied, UnexpectedAnswer
from exporter.magento.search import Engine
from exporter.sources.monitoring import Api, Server

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of an answer read at most. 500 stores with three versions each take a tenth of it."""

_NAME: Final = "the search engine"
_COLUMNS: Final = "index,health,docs.count,store.size"
_BLOCKS: Final = ("read_only", "read_only_allow_delete", "write")
"""The blocks that keep Magento from writing (``index.blocks.*``)."""


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """Who asks. ``engine`` and ``password`` are called at every collection."""

    engine: Callable[[], Engine]
    user: str
    password: Callable[[], str]
    tls: ssl.SSLContext | None = None
    connect: float = 1.0
    read: float = 3.0


class SearchEngine:
    """Implements :class:`exporter.core.ports.Search`. It reads names, numbers and settings, no document."""

    def __init__(self, target: SearchTarget) -> None:
        """Open nothing yet."""
        self._target = target

    def product_indexes(self) -> Sequence[Mapping[str, Any]]:
        """Return every index of products, whether an alias leads to it or not."""
        engine = self._target.engine()
        api = Api(_NAME, self._server(engine), largest=LARGEST)
        family = quote(f"{engine.family}*", safe="*")
        aliases = _object(api.ask("GET", f"/{family}/_alias"))
        settings = _object(api.ask("GET", f"/{family}/_settings/index.blocks.*?flat_settings=true"))
        listed = api.ask("GET", f"/_cat/indices/{family}?format=json&bytes=b&h={_COLUMNS}")
        if not isinstance(listed, list):
            raise UnexpectedAnswer(f"{_NAME} answered with something that is not a list of indexes")
        return [found for row in listed if (found := _index(engine, row, aliases, settings)) is not None]

    def version(self) -> tuple[str, str]:
        """Return what the engine says of itself; empty texts if it, or a proxy before it, does not.

        Elasticsearch names no distribution.
        """
        api = Api(_NAME, self._server(self._target.engine()), largest=LARGEST)
        try:
            said = _object(_object(api.ask("GET", "/")).get("version"))
        except (AccessDenied, UnexpectedAnswer):  # nothing else of it needs this right, or this path
            return "", ""
        if "number" not in said:
            return "", ""
        return str(said.get("distribution", "elasticsearch")), str(said["number"])

    def _server(self, engine: Engine) -> Server:
        target = self._target
        user = target.user or engine.user
        return Server(
            url=engine.url,
            secret=target.password,
            user=user,
            tls=target.tls,
            connect=target.connect,
            read=target.read,
            whole=target.read,
        )


def _index(
    engine: Engine, row: Any, aliases: Mapping[str, Any], settings: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return what is known of an index; ``None`` for one that is not Magento's."""
    try:
        name = str(row["index"])
        place = engine.place(name)
        if place is None:
            return None
        store, version = place
        blocks = settings.get(name, {}).get("settings", {})
        return {
            "store": store,
            "version": version,
            "in_use": f"{engine.family}{store}" in aliases.get(name, {}).get("aliases", {}),
            "health": str(row["health"]),
            "documents": int(row["docs.count"] or 0),
            "bytes": int(row["store.size"] or 0),
            "read_only": any(blocks.get(f"index.blocks.{block}") == "true" for block in _BLOCKS),
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UnexpectedAnswer(f"{_NAME} answered in a form that is not its own") from None


def _object(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise UnexpectedAnswer(f"{_NAME} answered with something that is not an object")
    return answer
