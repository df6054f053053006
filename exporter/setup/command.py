"""``magento-exporter setup``: ask, show, do, and write down what was done so that it can be undone."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from exporter.doctor.examination import Finding, Status
from exporter.doctor.report import as_table
from exporter.errors import UsageError
from exporter.settings import Settings, gather
from exporter.setup.programs import Identity, has_systemd, run, serves
from exporter.setup.shop import groups_to_read, shops
from exporter.setup.steps import DatabaseUser, Service, Step, put, steps
from exporter.setup.wanted import Wanted
from exporter.sources.env_php import ENV_PHP

_RECORD: Final = "setup.json"
_FATAL: Final = ("env.php", "database", "table prefix")
"""Checks of the doctor whose errors would leave the exporter without data, by how their names begin."""
_OURS: Final = ("--patience", "0")
"""The doctor does not wait for a consumer: a fault of the shop is no reason not to observe it."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--yes", action="store_true", help="agree to everything: ask nothing")
    parser.add_argument("--undo", action="store_true", help="take back what an earlier setup did")
    parser.add_argument("--config-dir", type=Path, default=Path("/etc/magento-exporter"), metavar="DIR")
    parser.add_argument("--state-dir", type=Path, default=Path("/var/lib/magento-exporter"), metavar="DIR")
    parser.add_argument("--unit-dir", type=Path, default=Path("/etc/systemd/system"), metavar="DIR")
    parser.add_argument("--run-as", default="magento-exporter", metavar="USER", help="user that will serve")
    parser.add_argument("--database-user", default="magento_exporter", metavar="USER")
    parser.add_argument("--from-host", default="%", help="host the exporter connects from")
    parser.add_argument(
        "--admin",
        metavar="COMMAND",
        help="client with an administrator's login, for the statements (default: mariadb or mysql, as root)",
    )
    parser.add_argument("--shop", default="", metavar="NAME", help="the shop's name in Prometheus")
    parser.add_argument("--runbook-base", default="", metavar="URL", help="for links; see pack")
    parser.add_argument("--grafana-base", default="", metavar="URL", help="for links; see pack")


def set_up(_settings: Settings, options: argparse.Namespace) -> int:
    """Set everything up: find the shop, make users, write settings, check, start the service."""
    if os.geteuid():
        raise UsageError("setup makes users and a service: run it as root")
    record = options.config_dir / _RECORD
    ask = _agree if options.yes else _ask
    try:
        if options.undo:
            return _undo(record, ask)
        wanted = _wanted(options)
        return _do(wanted, record, ask, options.shop)
    except OSError as error:
        raise UsageError(f"{error.filename or ''}: {error.strerror}") from None


def _do(wanted: Wanted, record: Path, ask: Callable[[str], bool], shop: str) -> int:
    print(f"The shop is {wanted.magento_root}; {wanted.identity.name} will serve on {wanted.listen}.")
    for step in steps(wanted):
        if isinstance(step, Service):
            if _doctor(wanted):
                return 1
            if not has_systemd():
                _no_systemd(wanted)
                break
        if not step.needed():
            print(f"ok: {step.name}")
            continue
        print(f"\n{step.name}:")
        for line in step.says():
            print(f"  {line}")
        if not ask("Do that?"):
            print(f"Not done: {step.name}. Run setup again at any time; --undo takes back what was done.")
            return 1
        _note(record, step, wanted)
        step.do()
        print(f"done: {step.name}")
    else:
        if not serves(wanted.address):
            print(f"It does not answer at {wanted.address}: journalctl -u magento-exporter", file=sys.stderr)
            return 1
        print(f"\nIt serves: {wanted.address}/")
    for line in _scrape_job(wanted, shop):
        print(line)
    return 0


def _undo(record: Path, ask: Callable[[str], bool]) -> int:
    """Undo, last step first, what the record says was done."""
    if not record.exists():
        print("There is nothing to undo.")
        return 0
    known = json.loads(record.read_text(encoding="utf-8"))
    wanted = _from_record(known["wanted"])
    done = {step.name: step for step in steps(wanted) if step.name in known["done"]}
    for name in reversed(known["done"]):
        if name in known.get("kept", ()):
            print(f"kept: {name}, which was there before, with the password and the rights it has now")
            _done_with(record, known, name)
            continue
        if not ask(f"Undo: {name}?"):
            print(f"Left: {name}")
            continue
        done[name].undo()
        _done_with(record, known, name)
        print(f"undone: {name}")
    if known["done"]:
        return 1
    record.unlink()
    if not any(wanted.config.iterdir()):
        wanted.config.rmdir()
    return 0


def _done_with(record: Path, known: dict[str, Any], name: str) -> None:
    known["done"] = [other for other in known["done"] if other != name]
    put(record, json.dumps(known, indent=1) + "\n", mode=0o600)


def _note(record: Path, step: Step, wanted: Wanted) -> None:
    """Write down that a step is about to be done: what is half done can be undone too."""
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {"done": []}
    known["wanted"] = _to_record(wanted)
    if step.name not in known["done"]:
        if isinstance(step, DatabaseUser) and step.exists():
            known["kept"] = [step.name]  # somebody else's: undoing must not drop it
        known["done"].append(step.name)
    put(record, json.dumps(known, indent=1) + "\n", mode=0o600)


def _to_record(wanted: Wanted) -> dict[str, object]:
    return {
        "magento_root": str(wanted.magento_root),
        "config": str(wanted.config),
        "state": str(wanted.state),
        "unit": str(wanted.unit),
        "listen": wanted.listen,
        "identity": wanted.identity.name,
        "database_user": wanted.database_user,
        "from_host": wanted.from_host,
        "admin": wanted.admin,
        "program": wanted.program,
    }


def _from_record(known: dict[str, object]) -> Wanted:
    text = {name: str(value) for name, value in known.items()}
    admin, program = known["admin"], known["program"]
    if not isinstance(admin, list) or not isinstance(program, list):
        raise UsageError("the record of the set-up cannot be read")
    return Wanted(
        magento_root=Path(text["magento_root"]),
        config=Path(text["config"]),
        state=Path(text["state"]),
        unit=Path(text["unit"]),
        listen=text["listen"],
        identity=Identity(text["identity"]),
        database_user=text["database_user"],
        from_host=text["from_host"],
        admin=tuple(map(str, admin)),
        program=tuple(map(str, program)),
    )


def _wanted(options: argparse.Namespace) -> Wanted:
    root = _magento_root(options)
    links = {"runbooks": options.runbook_base, "grafana": options.grafana_base}
    return Wanted(
        magento_root=root,
        config=options.config_dir.absolute(),
        state=options.state_dir.absolute(),
        unit=options.unit_dir,
        listen=options.listen or "127.0.0.1:9816",
        identity=Identity(options.run_as, groups_to_read(root)),
        database_user=options.database_user,
        from_host=options.from_host,
        admin=tuple(shlex.split(options.admin)) if options.admin else _administrator(),
        program=_program(),
        more=gather(
            overrides=dict(pair.split("=", 1) for pair in options.set)
            | {f"links.{name}": link for name, link in links.items() if link}
        ),
    )


def _magento_root(options: argparse.Namespace) -> Path:
    if options.magento_root:
        root = Path(options.magento_root).absolute()
        if not (root / ENV_PHP).exists():
            raise UsageError(f"{root / ENV_PHP}: no such file")
        return root
    found = shops()
    if len(found) == 1:
        return found[0]
    said = f"several shops are here: {', '.join(map(str, found))}" if found else "no shop is found here"
    raise UsageError(f"{said}; name one with --magento-root")


def _administrator() -> tuple[str, ...]:
    client = shutil.which("mariadb") or shutil.which("mysql")
    return (client or "mysql", "--user=root")


def _program() -> tuple[str, ...]:
    """Return how this program is started by somebody else."""
    own = Path(sys.argv[0])
    if own.name == "magento-exporter" and own.is_file():
        return (str(own.absolute()),)
    return (sys.executable, "-m", "exporter")


def _doctor(wanted: Wanted) -> bool:
    """Run the doctor as the user that will serve, print its report; true if there would be no data."""
    command = (*wanted.program, "doctor", "--config", str(wanted.settings_file), "--json", *_OURS)
    print(f"\ndoctor, as {wanted.identity.name}:")
    done = run(command, identity=wanted.identity)
    try:
        report = json.loads(done.output)
    except ValueError:
        raise UsageError(f"the doctor, as {wanted.identity.name}: {done.reason()}") from None
    findings = [Finding(**{**found, "status": Status(found["status"])}) for found in report["findings"]]
    print(as_table(findings, coloured=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return any(found.status is Status.ERROR and found.check.startswith(_FATAL) for found in findings)


def _no_systemd(wanted: Wanted) -> None:
    print("\nsystemd does not run this machine: let your supervisor run, as that user,")
    print(f"  {' '.join(wanted.program)} serve --config {wanted.settings_file}")


def _scrape_job(wanted: Wanted, shop: str) -> Iterator[str]:
    labels = f", labels: {{shop: {shop}}}" if shop else ""
    yield "\nFor prometheus.yml:"
    yield "scrape_configs:"
    yield "  - job_name: magento"
    if wanted.token_file:
        yield "    # a copy that Prometheus can read:"
        yield f"    authorization: {{credentials_file: {wanted.token_file}}}"
    yield f'    static_configs: [{{targets: ["{wanted.target}"]{labels}}}]'
    yield "\nRules, dashboards and Alertmanager's configuration: magento-exporter pack --help"


def _agree(_question: str) -> bool:
    return True


def _ask(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("there is nobody to ask: agree with --yes")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
