"""What the command finds: the targets of a shop, from its env.php, its settings and its database."""

from __future__ import annotations

import platform
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.backends import Backends, locked_by, open_backends
from exporter.core.ports import Locked
from exporter.errors import SourceError, UsageError
from exporter.magento.roles import Role, Server, behind_sentinel, search_server, servers
from exporter.magento.storefronts import ADDRESSES, SCOPES, base_urls, search_settings
from exporter.settings import Settings
from exporter.targets.files import text
from exporter.targets.groups import PROBER_PORT, Wanted, groups, remarks


@dataclass(frozen=True, slots=True)
class Targets:
    """The content of each file by its name, and what a person should know."""

    files: Mapping[str, str]
    remarks: Sequence[str]


def find(settings: Settings, options: Namespace) -> Targets:
    """Return the targets of the shop that the settings describe."""
    wanted = _wanted(options)
    backends = open_backends(settings)
    env_php = backends.env_php.current() if backends.env_php else None
    values = settings.model_dump()
    found = list(servers(env_php, values))
    said: list[str] = []
    search, urls = _from_the_database(backends, locked_by(backends.env_php), said)
    backends.close()
    found += [search] if search else []
    said += remarks(found, tuple(behind_sentinel(values)), wanted)
    return Targets({f"{job}.yml": text(group) for job, group in groups(found, urls, wanted).items()}, said)


def _from_the_database(
    backends: Backends, locked: Locked, said: list[str]
) -> tuple[Server | None, Sequence[tuple[str, str]]]:
    """Return the search engine and the base URLs; where the database does not say them, say why."""
    if backends.database is None:
        said.append("the database is not known, so neither are search engine and base URLs")
        return None, ()
    try:
        values = backends.database.rows(ADDRESSES)
        urls = tuple(base_urls(values, backends.database.rows(SCOPES), locked))
    except SourceError as error:
        said.append(f"the database does not say search engine and base URLs: {error}")
        return None, ()
    if not urls:
        said.append("no store has a base URL with a host name: give the probe's pages by hand")
    return search_server(search_settings(values, locked)), urls


def _wanted(options: Namespace) -> Wanted:
    machine = options.machine or platform.node()
    exporters: dict[Role, list[str]] = {}
    for name, address in map(_pair, options.exporter):
        if name not in list(Role):
            raise UsageError(f"--exporter {name}: no such role; there are {', '.join(Role)}")
        if not address.rpartition(":")[2].isdecimal():
            raise UsageError(f"--exporter {name}={address}: write ROLE=HOST:PORT")
        exporters.setdefault(Role(name), []).append(address)
    return Wanted(
        shop=options.shop,
        machine=machine,
        exporters=exporters,
        prober=options.prober or f"{machine}:{PROBER_PORT}",
        pages=_pages(options.page),
    )


def _pages(given: Iterable[str]) -> Mapping[str, str]:
    return dict(map(_pair, given))


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name or not value:
        raise UsageError(f"{given}: write NAME=VALUE")
    return name, value
