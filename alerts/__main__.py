"""`python -m alerts`: write what is generated from the catalogue, or check that it is fresh.

`python -m alerts test NAME ...` runs promtool on the cases of these alerts, as they are declared now.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zoneinfo import available_timezones

from alerts.catalogue import Catalogue, catalogue
from alerts.docs import page
from alerts.lib.alertmanager import configuration
from alerts.lib.grafana import provisioning
from alerts.lib.links import DEMO, DEMO_GRAFANA, DEMO_RUNBOOKS, Links
from alerts.lib.prometheus import rule_file
from alerts.testing import judge
from exporter.errors import SpecError
from exporter.pack.addresses import NO_GRAFANA, NO_RUNBOOKS, NO_STANDBY, is_local
from exporter.pack.evidence import with_evidence
from promql.clock import Clock

ROOT = Path(__file__).resolve().parent.parent
_RULES = Path("alerts/generated")
"""Every YAML file in here is generated."""


def rule_files(found: Catalogue, links: Links, clock: Clock) -> dict[str, str]:
    """Return the Prometheus rule files by name."""
    return {
        f"{subject}.yml": rule_file(
            subject, alerts, found.recordings[subject], owners=found.owners, links=links, clock=clock
        )
        for subject, alerts in found.alerts.items()
        if alerts or found.recordings[subject]
    }


def everything(found: Catalogue, links: Links, time_zone: str = "UTC") -> dict[Path, str]:
    """Return every generated file of the repository by its path from the root."""
    rules = rule_files(found, links, Clock())
    return {
        **{_RULES / name: text for name, text in rules.items()},
        Path("deploy/alertmanager/alertmanager.yml"): configuration(found.all, found.owners, time_zone),
        Path("deploy/grafana/provisioning/alerting/magento.yaml"): provisioning(
            found.alerts, owners=found.owners, links=links
        ),
        Path("docs/alerts.md"): page((ROOT / "docs" / "alerts.md").read_text(encoding="utf-8"), found),
    }


def stale(files: Mapping[Path, str], root: Path) -> list[str]:
    """Return what differs between the files and what they should be."""
    problems = []
    for path, text in files.items():
        target = root / path
        if not target.exists():
            problems.append(f"{path} is missing")
        elif target.read_text(encoding="utf-8") != text:
            problems.append(f"{path} is not fresh")
    return problems + [
        f"{_RULES / present.name} is not generated"
        for present in sorted((root / _RULES).glob("*.yml"))
        if _RULES / present.name not in files
    ]


def write(files: Mapping[Path, str], root: Path) -> None:
    """Write the files below ``root``."""
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def test(names: Sequence[str], found: Catalogue) -> int:
    """Print promtool's verdict on the cases of the alerts; 1 if one fails."""
    by_name = {alert.name: alert for alert in found.all}
    unknown = sorted(set(names) - set(by_name))
    if unknown:
        raise SpecError(f"no alert is named {', '.join(unknown)}; docs/alerts.md lists them")
    rules = list(rule_files(found, DEMO, Clock()).values())
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        verdicts = list(pool.map(lambda name: judge(by_name[name], found, rules), names))
    sys.stdout.writelines(verdict.report() for verdict in verdicts)
    return 1 if any(verdict.complaints for verdict in verdicts) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if all is well, 1 if files are not fresh or cases fail, 2 for a user's mistake."""
    options = _parser().parse_args(arguments)
    mistake = _mistake(options)
    if mistake:
        sys.stderr.write(f"{mistake}\n")
        return 2
    links = _links(options)
    try:
        found = catalogue()
        if options.command == "test":
            return test(options.names, found)
        if options.demo:
            rules = rule_files(found, links, Clock(options.scale))
            write({Path(name): text for name, text in rules.items()}, options.out)
            return 0
        files = everything(found, links, options.time_zone)
        if options.evidence:
            file = Path("deploy/alertmanager/alertmanager.yml")
            files[file] = with_evidence(files[file], options.evidence)
    except SpecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.check:
        problems = stale(files, ROOT)
        sys.stderr.writelines(f"{problem}; run make generate\n" for problem in problems)
        return 1 if problems else 0
    write(files, options.out or ROOT)
    return 0


def _mistake(options: argparse.Namespace) -> str:
    """Return what is wrong with the options, in words; empty if nothing is."""
    bases = (options.runbook_base, options.grafana_base)
    if options.demo:
        return "" if options.out else "--demo needs --out: a demo's rules are no part of the repository"
    local = [base for base in (*bases, options.standby_runbook_base) if is_local(base)]
    out = options.out is not None
    wrong = {
        "--scale needs --demo": options.scale != 1.0,
        "without --runbook-base and --grafana-base, Prometheus refuses the rules": out and not all(bases),
        "--runbook-base and --grafana-base need --out: the repository has no addresses": any(bases)
        and not out,
        f"{''.join(local[:1])} is this machine: it leads nowhere from a telephone": bool(local),
        f"{options.time_zone} is not in the IANA time zone database": options.time_zone
        not in available_timezones(),
    }
    return next((text for text, applies in wrong.items() if applies), "")


def _links(options: argparse.Namespace) -> Links:
    runbooks, grafana = (DEMO_RUNBOOKS, DEMO_GRAFANA) if options.demo else (NO_RUNBOOKS, NO_GRAFANA)
    standby = "" if options.out else NO_STANDBY
    return Links(
        options.runbook_base or runbooks,
        options.grafana_base or grafana,
        options.standby_runbook_base or standby,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alerts", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not fresh")
    parser.add_argument("--out", type=Path, help="write below this directory instead of the repository")
    parser.add_argument("--runbook-base", default="", help="address under which runbooks are served")
    parser.add_argument(
        "--standby-runbook-base",
        default="",
        help="address of the pages about a dead exporter: another exporter's /runbooks/, "
        "or a web server that answers /MagentoExporterDown",
    )
    parser.add_argument("--grafana-base", default="", help="address of Grafana")
    parser.add_argument(
        "--time-zone", default="UTC", help="where the shop's working hours are: Europe/Berlin (default: UTC)"
    )
    parser.add_argument(
        "--evidence", default="", metavar="URL", help="the exporter to which Alertmanager sends every alert"
    )
    parser.add_argument(
        "--demo", action="store_true", help="write only rules, with links to servers on this machine"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="how many seconds of a demo's rules pass in one"
    )
    testing = parser.add_subparsers(dest="command").add_parser(
        "test", help="run promtool on the cases of single alerts"
    )
    testing.add_argument("names", nargs="+", metavar="NAME", help="name of an alert")
    return parser


if __name__ == "__main__":
    sys.exit(main())
