"""The command ``magento-exporter``.

Exit codes: 0 all is well, 1 something does not work, 2 the user must change
something (one line on standard error says what).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from exporter import __version__, log
from exporter.app import Exporter, build, choose, context_factory, create_app, open_backends, web_auth
from exporter.core.render import Format
from exporter.core.runner import Outcome
from exporter.deploys import command as deploys
from exporter.doctor import examine
from exporter.doctor.examination import Examination, Status
from exporter.doctor.identity import become
from exporter.doctor.report import as_json, as_table
from exporter.errors import UsageError
from exporter.magento.discovery import parts
from exporter.magento.env_php import EnvPhpSettings
from exporter.pack import command as pack_command
from exporter.rights.existing import database_rights, other_rights
from exporter.rights.statements import PASSWORD_MARK, Account, Dialect, connections_with_room
from exporter.settings import CONFIG_VARIABLE, Settings, gather, read_secret, redacted, validate
from exporter.setup import command as setup_command
from exporter.sources.env_php import EnvPhp, locate
from exporter.targets.command import find
from exporter.targets.files import write
from exporter.web.app_state import AppState
from exporter.web.metrics import page
from exporter.web.server import run_server

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
SERVERS: Final = ("database", "redis", "rabbitmq", "artemis", "varnish")
"""The sections of the settings that name servers, which env.php does otherwise."""

CONSUMER_START_SECONDS: Final = 70.0
"""How long cron may take to start a missing consumer: it does so once a minute."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        if getattr(options, "as_user", None) is not None:
            become(options.as_user, options.as_group)
        settings = _settings(options, os.environ)
        log.set_up(level=settings.log_level, form=settings.log_format)
        command: Command = options.command
        return command(settings, options)
    except UsageError as error:
        print(f"magento-exporter: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def serve(settings: Settings, _options: argparse.Namespace) -> int:
    """Serve /metrics until SIGTERM."""
    auth = web_auth(settings)
    exporter = build(settings)
    host, port = settings.web.address()
    return run_server(
        create_app(exporter, auth),
        host=host,
        port=port,
        tls=auth.tls(),
        scrape_seconds=settings.limits.scrape_seconds,
        shutdown_seconds=settings.limits.shutdown_seconds,
    )


def check_config(settings: Settings, _options: argparse.Namespace) -> int:
    """Print the effective settings, secrets redacted, what env.php says, and what would run."""
    backends = open_backends(settings)
    wanted, off = choose(settings, backends.configured())
    print(redacted(settings), end="")
    for name, said in _env_php(backends.env_php.current()) if backends.env_php else ():
        print(f"# env.php: {name}: {said}")
    print(f"# collectors on: {', '.join(collector.name for collector in wanted) or 'none'}")
    for name, why in off.items():
        print(f"# off: {name} ({why})")
    return EXIT_OK


def _env_php(env_php: EnvPhpSettings) -> Iterator[tuple[str, str]]:
    """Yield what env.php says, and what of it is not read."""
    if env_php.problem:
        yield "not read", env_php.problem
    yield from parts(env_php)
    yield from env_php.unknown()


def collect(settings: Settings, options: argparse.Namespace) -> int:
    """Run every collector once and print the exposition; exit code 1 if one failed."""
    return asyncio.run(_collect(settings, Format[options.format.upper()]))


async def _collect(settings: Settings, wanted: Format) -> int:
    exporter = build(settings)
    try:
        states = await exporter.runner.scrape(deadline=settings.limits.scrape_seconds)
        background = [state.flight for state in states if state.flight is not None and state.in_flight()]
        if background:
            await asyncio.wait(background, timeout=settings.limits.scrape_seconds)
        sys.stdout.write(page(_app_state(exporter), states, wanted).decode())
        failed = [state for state in states if state.outcome is not Outcome.OK]
        for state in failed:
            reason = state.reason or "no result in time"
            print(f"magento-exporter: collector {state.name}: {reason}", file=sys.stderr)
        return EXIT_FAILED if failed else EXIT_OK
    finally:
        await exporter.close()


def _app_state(exporter: Exporter) -> AppState:
    limits = exporter.settings.limits
    return AppState(exporter.runner, exporter.off, limits.scrape_seconds, limits.scrape_offset_seconds)


def sql(settings: Settings, _options: argparse.Namespace) -> int:
    """Print every statement that the collectors run."""
    prefix = settings.database.prefix if settings.database else ""
    wanted, _ = choose(settings, ("database", *open_backends(settings).configured()))
    for collector in wanted:
        for query in collector.queries:
            print(f"-- {collector.name}: {query.name} ({query.connection} connection)")
            print(f"{query.text(prefix)};\n")
    return EXIT_OK


def grants(settings: Settings, options: argparse.Namespace) -> int:
    """Print the statements that give a user the least rights; pipe them into mysql, also again."""
    backends = open_backends(settings)
    wanted, _ = choose(settings, ("database", *backends.configured()))
    account = Account(
        options.user,
        options.from_host,
        password=read_secret(Path(options.password_file)) if options.password_file else PASSWORD_MARK,
        max_connections=connections_with_room(settings.database.threads if settings.database else 3),
    )
    rights = database_rights(
        settings, wanted, account=account, dialect=Dialect(options.dialect), database=backends.database
    )
    backends.close()
    for remark in (*rights.remarks, *other_rights(options.user, settings)):
        print(f"-- {remark}")
    for statement in rights.statements:
        print(f"{statement};")
    for statement in rights.revoke:
        print(f"-- not needed any more: {statement};")
    return EXIT_OK


def doctor(settings: Settings, options: argparse.Namespace) -> int:
    """Check everything before the first scrape; exit code 1 if something would not work."""
    exporter = build(settings.model_copy(update={"state_file": None}))
    context = context_factory(settings, exporter.backends)
    # The report is about the real state file, which is not changed here.
    subject = Examination(replace(exporter, settings=settings), context, options.patience)
    findings = list(examine(subject))
    asyncio.run(exporter.close())
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(as_json(findings) if options.json else as_table(findings, coloured=coloured))
    worst = {Status.ERROR, Status.WARNING} if options.strict else {Status.ERROR}
    return EXIT_FAILED if worst & {finding.status for finding in findings} else EXIT_OK


def targets(settings: Settings, options: argparse.Namespace) -> int:
    """Print or write Prometheus' targets of the exporters of the shop's servers, with their roles."""
    found = find(settings, options)
    for remark in found.remarks:
        print(f"magento-exporter: {remark}", file=sys.stderr)
    if options.out:
        changed = write(Path(options.out), found.files)
        print(f"wrote {', '.join(changed)}" if changed else "nothing changed")
        return EXIT_OK
    for name, content in found.files.items():
        print(f"# {name}\n{content}", end="")
    return EXIT_OK


Command = Callable[[Settings, argparse.Namespace], int]
COMMANDS: Final[Mapping[str, Command]] = {
    "serve": serve,
    "doctor": doctor,
    "grants": grants,
    "check-config": check_config,
    "collect": collect,
    "sql": sql,
    "targets": targets,
    "pack": pack_command.run,
    "setup": setup_command.set_up,
    "deploy": deploys.deploy,
    "gate": deploys.gate,
}
ARGUMENTS: Final[Mapping[str, Callable[[argparse.ArgumentParser], None]]] = {
    "pack": pack_command.arguments,
    "setup": setup_command.arguments,
    "deploy": deploys.deploy_arguments,
    "gate": deploys.gate_arguments,
}
"""The options of the commands that have a module of their own."""


def _settings(options: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    file = options.config or environment.get(CONFIG_VARIABLE)
    overrides = dict(_pair(text) for text in options.set)
    for name in ("magento_root", "env_php", "state_file"):
        if getattr(options, name) is not None:
            overrides[name] = getattr(options, name)
    if options.listen is not None:
        overrides["web.listen"] = options.listen
    values = gather(file=Path(file) if file else None, environment=environment, overrides=overrides)
    return validate(values, found=_found(values, environment))


def _found(values: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what the shop's env.php says, if the user named one."""
    named = (str(values.get(name) or "") for name in ("env_php", "magento_root"))
    file = locate(*named)
    if file is None:
        return {}
    by_hand = any(name in values for name in SERVERS)
    return EnvPhp(file, environment, by_hand=by_hand).current().settings(values)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--set {text}: write NAME=VALUE, for example --set database.host=db1")
    if name.split(".")[-1] == "password":
        raise UsageError(f"--set {name}: a password on the command line is seen by every user; use a file")
    return name, value


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", metavar="FILE", help=f"YAML settings (or ${CONFIG_VARIABLE})")
    common.add_argument("--magento-root", metavar="DIR", help="the shop's directory, for app/etc/env.php")
    common.add_argument("--env-php", metavar="FILE", help="an env.php elsewhere")
    common.add_argument("--listen", metavar="HOST:PORT", help="address to serve on")
    common.add_argument("--state-file", metavar="FILE", help="keeps counters over a restart")
    common.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="any other setting")
    parser = argparse.ArgumentParser(prog="magento-exporter", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--version", action="version", version=f"magento-exporter {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        text = (function.__doc__ or "").split("\n", 1)[0]
        command = commands.add_parser(name, parents=[common], help=text, description=text)
        command.set_defaults(command=function)
        if name in ARGUMENTS:
            ARGUMENTS[name](command)
        if function is collect:
            command.add_argument("--format", choices=[f.name.lower() for f in Format], default="text")
        if function is grants:
            command.add_argument("--user", default="magento_exporter", help="name of the user")
            command.add_argument("--from-host", default="%", help="host the exporter connects from")
            command.add_argument("--password-file", metavar="FILE", help="file with the user's password")
            command.add_argument(
                "--dialect", choices=[d.value for d in Dialect], default="mysql", help="server to write for"
            )
        if function is targets:
            _add_targets_options(command)
        if function is doctor:
            command.add_argument("--json", action="store_true", help="machine-readable report")
            command.add_argument("--strict", action="store_true", help="warnings count as errors")
            command.add_argument("--as-user", metavar="USER", help="look as the user that will serve")
            command.add_argument(
                "--as-group",
                metavar="GROUP",
                action="append",
                default=[],
                help="a group more, as often as needed",
            )
            command.add_argument(
                "--patience",
                metavar="SECONDS",
                type=float,
                default=CONSUMER_START_SECONDS,
                help="how long cron may take to start a missing consumer (default %(default)g)",
            )
    return parser


def _add_targets_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--shop", metavar="NAME", required=True, help="the shop's name in Prometheus")
    command.add_argument("--out", metavar="DIR", help="write the files there instead of printing them")
    command.add_argument(
        "--exporter", metavar="ROLE=HOST:PORT", action="append", default=[],
        help="where a role's exporter listens, if not beside the server on its usual port; repeat it",
    )  # fmt: skip
    command.add_argument("--machine", metavar="HOST", help="this machine's name for Prometheus")
    command.add_argument("--prober", metavar="HOST:PORT", help="the blackbox_exporter, better elsewhere")
    command.add_argument(
        "--page", metavar="NAME=PATH", action="append", default=[],
        help="a further page to probe, such as category=women.html; repeat it",
    )  # fmt: skip
