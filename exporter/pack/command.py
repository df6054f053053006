"""``magento-exporter pack``: write rules, Alertmanager's configuration, dashboards, probe and targets."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

from exporter.errors import UsageError
from exporter.pack.addresses import Addresses, addresses, is_local
from exporter.pack.files import Targets, exporter_target, pack
from exporter.pack.writing import NEW, Written, write
from exporter.settings import Settings
from exporter.targets.command import find
from exporter.targets.files import write as write_targets

_PLACE: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    default = "default: the setting links."
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="directory to write into")
    parser.add_argument(
        "--runbook-base",
        metavar="URL",
        help=f"this exporter's /runbooks/, as people reach it ({default}runbooks)",
    )
    parser.add_argument(
        "--grafana-base", metavar="URL", help=f"Grafana, as people reach it ({default}grafana)"
    )
    parser.add_argument(
        "--standby-runbook-base",
        metavar="URL",
        help=f"who serves the runbooks about a dead exporter ({default}standby_runbooks)",
    )
    parser.add_argument("--shop", default="", metavar="NAME", help="the shop's name in Prometheus")
    parser.add_argument(
        "--target",
        default="",
        metavar="HOST:PORT",
        help="what Prometheus scrapes (default: where runbooks are)",
    )
    parser.add_argument("--alertmanager", default="", metavar="HOST:PORT", help="where Prometheus finds it")
    parser.add_argument(
        "--evidence",
        action="store_true",
        help="let Alertmanager send every alert to the exporter (docs/evidence.md)",
    )
    parser.add_argument("--prober", metavar="HOST:PORT", help="the blackbox_exporter, better elsewhere")
    parser.add_argument("--machine", metavar="HOST", help="this machine's name for Prometheus")
    parser.add_argument(
        "--time-zone", default="UTC", help="where the shop's working hours are: Europe/Berlin (default: UTC)"
    )


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Write rules, dashboards, Alertmanager's and Prometheus' configuration with your addresses."""
    links = _links(settings, options)
    targets = _targets(options)
    if options.time_zone not in available_timezones():
        raise UsageError(f"{options.time_zone} is not in the IANA time zone database")
    outcome = write(pack(links, targets, options.time_zone), options.out)
    for line in _said(outcome, options.out):
        print(line)
    for line in _other_targets(settings, options):
        print(line)
    for line in _next(links, targets, options.out.absolute()):
        print(line)
    return 0


def _links(settings: Settings, options: argparse.Namespace) -> Addresses:
    """Return the addresses of the command line, or else of the settings."""
    known = settings.links
    return addresses(
        options.runbook_base or known.runbooks,
        options.grafana_base or known.grafana,
        options.standby_runbook_base or known.standby_runbooks,
    )


def _targets(options: argparse.Namespace) -> Targets:
    for name in ("target", "alertmanager", "prober"):
        place = getattr(options, name) or ""
        if place and not _PLACE.fullmatch(place):
            raise UsageError(f"--{name} {place}: write HOST:PORT")
        if name != "prober" and is_local(f"http://{place}"):
            raise UsageError(f"--{name} {place} is this machine: give the name that Prometheus reaches")
    if options.shop and not _NAME.fullmatch(options.shop):
        raise UsageError(f"--shop {options.shop}: letters, digits, points, dashes")
    return Targets(options.shop, options.target, options.alertmanager, evidence=options.evidence)


def _other_targets(settings: Settings, options: argparse.Namespace) -> Iterator[str]:
    """Write the targets of the other exporters where the shop is known; yield what a person should know."""
    place = options.out / "prometheus/targets"
    known = settings.database or settings.magento_root or settings.env_php
    if not (known and options.shop):
        yield "Targets of the other exporters and of the probe are left out. Where the shop's env.php is:"
        yield f"  magento-exporter targets --magento-root DIR --shop NAME --out {place}"
        return
    found = find(settings, argparse.Namespace(**{**vars(options), "exporter": (), "page": ()}))
    write_targets(place, found.files)
    yield f"{place}: {', '.join(found.files)}"
    yield from found.remarks


def _said(outcome: Written, directory: Path) -> Iterator[str]:
    yield f"{directory}: {len(outcome.written)} files written"
    for path in outcome.removed:
        yield f"removed: {path} (no longer part of the pack)"
    for path in outcome.changed_by_user:
        yield f"left as you changed it: {path}; the new one is {path}{NEW}"


def _next(links: Addresses, targets: Targets, directory: Path) -> Iterator[str]:
    """Yield what a person does with the files."""
    yield ""
    yield "Prometheus: add to prometheus.yml, and reload it"
    yield f"  rule_files: [{directory}/prometheus/rules/*.yml]"
    yield "  scrape_configs:"
    yield "    - job_name: magento"
    yield f"      file_sd_configs: [{{files: [{directory}/prometheus/targets/magento.yml]}}]"
    (address,) = exporter_target(links, targets)["targets"]
    yield f"  It then scrapes {address}. prometheus/prometheus.yml there has the jobs of other exporters."
    yield f"Grafana: import or provision {directory}/grafana/dashboards/*.json"
    yield f"Alertmanager: {directory}/alertmanager has routes, receivers and templates; put in your secrets"
