"""The command ``magento-exporter``.

Exit codes: 0 all is well, 1 something does not work, 2 the user must change
something (one line on standard error says what).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from exporter import __version__, log
from exporter.errors import UsageError
from exporter.settings import CONFIG_VARIABLE, Settings, gather, validate
from exporter.sources.env_php import EnvPhp, locate

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
SERVERS: Final = ("database", "redis", "rabbitmq", "artemis", "varnish")
"""The sections of the settings that name servers, which env.php does otherwise."""

Command = Callable[[Settings, argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser(words[0] if words else "").parse_args(words)
    try:
        if getattr(options, "as_user", None) is not None:
            from exporter.doctor.identity import become  # noqa: PLC0415 - only the doctor needs it

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


class Place(NamedTuple):
    """A command's module, and the names there of what runs it and of what declares its options."""

    module: str
    run: str = "run"
    arguments: str = "arguments"


COMMANDS: Final[Mapping[str, Place]] = {
    "serve": Place("exporter.commands.serve"),
    "doctor": Place("exporter.commands.doctor"),
    "grants": Place("exporter.commands.grants"),
    "check-config": Place("exporter.commands.check_config"),
    "collect": Place("exporter.commands.collect"),
    "sql": Place("exporter.commands.sql"),
    "targets": Place("exporter.commands.targets"),
    "pack": Place("exporter.pack.command"),
    "setup": Place("exporter.setup.command", run="set_up"),
    "deploy": Place("exporter.deploys.command", run="deploy", arguments="deploy_arguments"),
    "gate": Place("exporter.deploys.command", run="gate", arguments="gate_arguments"),
}
"""Only the command that is given is imported: most need no web, and ``serve`` needs no set-up."""


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


def _parser(given: str = "") -> argparse.ArgumentParser:
    """Return the parser of the command that is given; else, as for ``--help``, of all."""
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
    for name, place in COMMANDS.items():
        if given not in COMMANDS or name == given:
            module = import_module(place.module)
            run: Command = getattr(module, place.run)
            text = (run.__doc__ or "").split("\n", 1)[0]
            command = commands.add_parser(name, parents=[common], help=text, description=text)
            command.set_defaults(command=run)
            getattr(module, place.arguments)(command)
    return parser
