"""The files of a user's pack: the wheel's, with addresses filled in, and the targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from exporter import __version__
from exporter.pack.addresses import Addresses
from exporter.pack.evidence import with_evidence
from exporter.pack.material import material

WRITTEN_BY: Final = f"Written by magento-exporter pack {__version__}"
_ALERTMANAGER: Final = "alertmanager/alertmanager.yml"
_UTC: Final = "location: UTC\n"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Targets:
    """What Prometheus asks. ``exporter`` is empty where it is the server of the runbooks.

    With ``evidence`` Alertmanager sends every alert to the exporter.
    """

    shop: str = ""
    exporter: str = ""
    alertmanager: str = ""
    evidence: bool = False


def pack(links: Addresses, targets: Targets, time_zone: str) -> dict[str, str]:
    """Return every file by its path below the user's directory."""
    made = {path: headed(path, links.fill_in(text)) for path, text in material().items()}
    made[_ALERTMANAGER] = made[_ALERTMANAGER].replace(_UTC, f"location: {time_zone}\n")
    if targets.evidence:
        made[_ALERTMANAGER] = with_evidence(made[_ALERTMANAGER], _exporter_url(links, targets))
    made |= {f"prometheus/targets/{name}": text for name, text in _targets(links, targets)}
    return made


def headed(path: str, text: str) -> str:
    """Return the text with a first line that says where it is from, where the form has comments."""
    return text if path.endswith((".json", ".tmpl")) else f"# {WRITTEN_BY}.\n{text}"


def _targets(links: Addresses, targets: Targets) -> Iterator[tuple[str, str]]:
    yield "magento.yml", _file_sd([exporter_target(links, targets)])
    if targets.alertmanager:
        yield "alertmanager.yml", _file_sd([{"targets": [targets.alertmanager]}])


def _exporter_url(links: Addresses, targets: Targets) -> str:
    """Return where Alertmanager reaches the exporter."""
    return (
        f"http://{targets.exporter}"
        if targets.exporter
        else links.runbooks.rstrip("/").removesuffix("/runbooks")
    )


def exporter_target(links: Addresses, targets: Targets) -> dict[str, Any]:
    """Return where Prometheus finds the exporter: as named, or where its runbooks are."""
    shop = {"shop": targets.shop} if targets.shop else {}
    if targets.exporter:
        return _target(targets.exporter, shop)
    parts = urlsplit(links.runbooks)
    above = parts.path.rstrip("/").removesuffix("/runbooks")
    scheme = {"__scheme__": parts.scheme} if parts.scheme != "http" else {}
    path = {"__metrics_path__": f"{above}/metrics"} if above else {}
    address = parts.netloc if parts.port else f"{parts.netloc}:{_PORTS[parts.scheme]}"
    return _target(address, {**shop, **scheme, **path})


def _target(address: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"targets": [address], **({"labels": dict(labels)} if labels else {})}


def _file_sd(groups: list[dict[str, Any]]) -> str:
    return f"# {WRITTEN_BY}.\n" + yaml.safe_dump(groups, sort_keys=False)
