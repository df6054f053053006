"""Which exporter answers for which server, as groups of Prometheus' file_sd by the name of the job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

from exporter.magento.roles import ROLE, TOGETHER, BehindSentinel, Role, Server, shared

JOBS: Final[Mapping[Role, tuple[str, int]]] = {
    Role.DATABASE: ("mysqld", 9104),
    Role.DATABASE_REPLICA: ("mysqld", 9104),
    Role.CHECKOUT: ("mysqld", 9104),
    Role.SALES: ("mysqld", 9104),
    Role.SESSION: ("redis", 9121),
    Role.CACHE: ("redis", 9121),
    Role.PAGE_CACHE: ("redis", 9121),
    Role.SEARCH: ("elasticsearch", 9114),
    Role.AMQP: ("rabbitmq", 15692),
    Role.PHP: ("php_fpm", 9253),
    Role.WEB: ("nginx", 9113),
    Role.VARNISH: ("varnish", 9131),
    Role.NODE: ("node", 9100),
}
"""The job of prometheus.yml that reads a role's exporter, and the port on which that exporter listens."""

PROBE: Final = "probe"
PROBER_PORT: Final = 9115
PAGES: Final = (
    ("home", "", "magento_page"),
    ("cart", "customer/section/load/?sections=cart", "magento_cart"),
    ("graphql", "graphql", "magento_graphql"),
    ("indexable", "", "magento_indexable"),
    ("robots", "/robots.txt", "magento_robots"),
    ("exposed_env", "app/etc/env.php", "magento_exposed"),
    ("exposed_git", ".git/HEAD", "magento_exposed"),
    ("exposed_log", "var/log/system.log", "magento_exposed"),
)
"""What is asked for at every base URL: the page, its path (from the host if it has a slash), its module.

The module of the `exposed` ones succeeds if a file is served that nobody may read.
"""
_FILES: Final = re.compile(r"sitemap|feed.*")
"""The names of pages that are files, by which the rules know them."""

Group = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user said: the shop's name, this machine's, the exporters' addresses by role, the prober."""

    shop: str
    machine: str
    exporters: Mapping[Role, Sequence[str]]
    prober: str
    pages: Mapping[str, str]


def groups(
    servers: Sequence[Server], urls: Sequence[tuple[str, str]], wanted: Wanted
) -> dict[str, list[Group]]:
    """Return the target groups by job, one target for each exporter."""
    found: dict[str, dict[str, list[Role]]] = {}
    for role, (job, _) in JOBS.items():
        for address, roles in _exporters(role, servers, wanted).items():
            known = found.setdefault(job, {}).setdefault(address, [])
            known += [role for role in roles if role not in known]
    made = {
        job: [_group(address, wanted.shop, roles) for address, roles in targets.items()]
        for job, targets in found.items()
    }
    return {**made, **({PROBE: list(_probes(urls, wanted))} if urls else {})}


def remarks(servers: Sequence[Server], sentinels: Sequence[BehindSentinel], wanted: Wanted) -> Iterator[str]:
    """Yield what a person should know: roles that share a server, and roles whose server is not known."""
    by_place: dict[tuple[str, int, str], list[Server]] = {}
    for server in servers:
        by_place.setdefault(server.place, []).append(server)
    for together in by_place.values():
        if len(together) > 1:
            yield f"{', '.join(server.role for server in together)} are on one server, {together[0].address}"
    for cache in (Role.CACHE, Role.PAGE_CACHE):
        if both := shared(servers, cache):
            yield (
                f"warning: session and {cache} share {both.address}: when it is full, either customers are "
                "logged out or nothing is written; give sessions a server of their own"
            )
    for role in sentinels:
        if role.role not in wanted.exporters:
            yield (
                f"{role.role} is behind Sentinels ({role.master} at {', '.join(role.sentinels)}), so its "
                f"exporters are not known: add --exporter {role.role}=HOST:PORT for each"
            )


def _exporters(role: Role, servers: Sequence[Server], wanted: Wanted) -> Mapping[str, Sequence[Role]]:
    """Return the addresses of a role's exporters, each with the roles of its target.

    They are those that the user named, else one beside each server. A machine has the roles of its servers.
    """
    if role in wanted.exporters:
        return dict.fromkeys(wanted.exporters[role], (role,))
    _, port = JOBS[role]
    if role is not Role.NODE:
        hosts = [server.host for server in servers if server.role is role]
        return dict.fromkeys((_address(host or wanted.machine, port) for host in hosts), (role,))
    found: dict[str, list[Role]] = {}
    for server in servers:
        found.setdefault(_address(server.host or wanted.machine, port), [role]).append(server.role)
    return found


def _group(address: str, shop: str, roles: Sequence[Role]) -> Group:
    return {"targets": [address], "labels": {"shop": shop, ROLE: TOGETHER.join(roles)}}


def _probes(urls: Iterable[tuple[str, str]], wanted: Wanted) -> Iterator[Group]:
    pages = (*PAGES, *((name, path.lstrip("/"), _module(name)) for name, path in wanted.pages.items()))
    bases = dict.fromkeys(url for _, url in urls)
    asked = dict.fromkeys((urljoin(url, path), page, module) for url in bases for page, path, module in pages)
    for target, page, module in asked:
        labels = {"shop": wanted.shop, "page": page, "module": module, "prober": wanted.prober}
        yield {"targets": [target], "labels": labels}


def _module(page: str) -> str:
    return "magento_file" if _FILES.fullmatch(page) else "magento_page"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
