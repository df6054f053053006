"""The addresses that notifications and dashboards lead to, and the marks that stand for them until then."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from exporter.errors import UsageError

NO_RUNBOOKS: Final = "{{ runbook_base_is_not_set }}"
NO_STANDBY: Final = "{{ standby_runbook_base_is_not_set }}"
NO_GRAFANA: Final = "{{ grafana_base_is_not_set }}"
"""Prometheus refuses to load a rule whose annotation calls a function that does not exist, and names it."""

NO_RUNBOOK_PAGES: Final = "https://runbook-base-is-not-set.invalid/"
"""The same in a dashboard, which nothing refuses: a name that never resolves."""

_ADDRESS: Final = re.compile(
    r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?"
)
"""No login, no query, and nothing that YAML or a template of Prometheus would read differently."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where people reach the runbooks and Grafana.

    ``standby`` serves the runbooks of the alerts that say that the exporter does not; empty: nobody does.
    """

    runbooks: str = ""
    grafana: str = ""
    standby: str = ""

    def fill_in(self, text: str) -> str:
        """Return a generated file with the addresses in the place of the marks."""
        runbooks = self.runbooks.rstrip("/")
        return (
            text.replace(NO_RUNBOOKS, runbooks)
            .replace(NO_STANDBY, self.standby.rstrip("/") or runbooks)
            .replace(NO_GRAFANA, self.grafana.rstrip("/"))
            .replace(NO_RUNBOOK_PAGES, f"{runbooks}/")
        )


NOWHERE: Final = Addresses()


def addresses(runbooks: str, grafana: str, standby: str = "") -> Addresses:
    """Return the addresses; raises :exc:`UsageError` for one that is missing or leads nowhere."""
    for name, address in (("runbook-base", runbooks), ("grafana-base", grafana)):
        if not address:
            raise UsageError(f"--{name} is missing: alerts link to it")
    for address in filter(None, (runbooks, grafana, standby)):
        check(address)
    return Addresses(runbooks, grafana, standby)


def check(address: str) -> None:
    """Raise :exc:`UsageError` if the address cannot stand in a notification."""
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"{address}: write http(s)://host/path, without login, query or blanks")
    if is_local(address):
        raise UsageError(f"{address} is this machine: it leads nowhere from a telephone")


def is_local(address: str) -> bool:
    """Return whether the address is this machine's: it leads nowhere from a telephone."""
    host = urlsplit(address).hostname or ""
    return host in {"localhost", "::1", "::", "0.0.0.0"} or host.startswith("127.")  # noqa: S104 - compared, not bound
