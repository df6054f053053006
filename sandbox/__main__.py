"""`python -m sandbox`: install the servers' packages, run the demo, switch faults."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox import demo, faults
from sandbox.errors import SandboxError
from sandbox.events import EVENTS, happen
from sandbox.paths import STATE
from sandbox.shop.schema import VERSIONS
from sandbox.stack import BESIDE, DISK, REPLICA, SENTINEL, owner

EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a person's mistake is one clear line and exit code 2."""
    options = parser().parse_args(arguments)
    try:
        options.command(options)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return EXIT_USAGE
    return 0


def install_packages(_options: argparse.Namespace) -> None:
    """Install the servers' Debian packages; no service is started by it."""
    demo.install_packages()


def show(options: argparse.Namespace) -> None:
    """Run a living shop and its observers until Ctrl-C."""
    for name in options.fault:
        faults.find(name)
    demo.run(
        demo.Options(
            directory=options.directory,
            seconds=options.seconds,
            faults=tuple(options.fault),
            keep=options.keep,
            scrape_seconds=options.scrape_seconds,
            version=options.version,
            prefix=options.prefix,
            beside=tuple(options.beside),
            shop_arguments=given(options, "speed", "rate", "seed"),
            history=given(options, "rate", "history_days"),
        )
    )


def given(options: argparse.Namespace, *names: str) -> tuple[str, ...]:
    """Return the options that were given, as words of a command line."""
    chosen = {f"--{name.replace('_', '-')}": getattr(options, name) for name in names}
    return tuple(word for key, value in chosen.items() if value is not None for word in (key, str(value)))


def fault(options: argparse.Namespace) -> None:
    """List the faults, or switch one on or off in the running demo."""
    state = options.directory.resolve()
    if options.action == "list":
        print(listing(state))
        return
    if options.name is None:
        raise SandboxError(f"fault {options.action}: which one? See `python -m sandbox fault list`")
    faults.find(options.name)
    if owner(state) is None:
        raise SandboxError(f"no demo runs in {state}")
    (faults.switch_on if options.action == "on" else faults.switch_off)(state, options.name)


def event(options: argparse.Namespace) -> None:
    """Let something happen to the running demo's shop that is no fault."""
    state = options.directory.resolve()
    if owner(state) is None:
        raise SandboxError(f"no demo runs in {state}")
    print(happen(state, options.name))


def listing(state: Path) -> str:
    """Return the registry, a fault's symptoms below what it is; an asterisk marks what is on."""
    on = faults.switched_on(state)
    width = max(len(fault.name) for fault in faults.FAULTS)
    return "\n".join(
        f"{'*' if fault.name in on else ' '} {fault.name:<{width}}  {fault.description}\n"
        f"  {'':<{width}}  seen: {fault.symptoms}"
        for fault in faults.FAULTS
    )


def positive(text: str) -> float:
    """Return a number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return value


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    top = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--directory", type=Path, default=STATE, metavar="DIR", help="state directory")

    install = commands.add_parser("packages", help=install_packages.__doc__)
    install.set_defaults(command=install_packages)

    run = commands.add_parser("demo", parents=[place], help=show.__doc__)
    run.set_defaults(command=show)
    run.add_argument("--seconds", type=positive, metavar="N", help="stop after N seconds")
    run.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="switched on from the start"
    )
    run.add_argument(
        "--with",
        dest="beside",
        nargs="*",
        default=[DISK, REPLICA, SENTINEL],
        choices=BESIDE,
        help="what the shop has beside the rest; `search` needs Java and Maven",
    )
    run.add_argument("--keep", action="store_true", help="keep the servers' data and logs")
    run.add_argument("--scrape-seconds", type=positive, default=5, metavar="N", help="between two scrapes")
    run.add_argument("--version", default=VERSIONS[0], help="of the shop's tables")
    run.add_argument("--prefix", default="", help="of the shop's tables")
    run.add_argument("--speed", type=positive, help="the shop's minutes in a real minute (1 to 60)")
    run.add_argument("--rate", type=positive, help="orders in a real minute, about")
    run.add_argument("--history-days", type=float, metavar="N", help="how long a past the shop begins with")
    run.add_argument("--seed", type=int, help="makes the simulation repeatable")

    once = commands.add_parser("event", parents=[place], help=event.__doc__)
    once.set_defaults(command=event)
    once.add_argument("name", choices=sorted(EVENTS))

    switch = commands.add_parser("fault", parents=[place], help=fault.__doc__)
    switch.set_defaults(command=fault)
    switch.add_argument("action", choices=["list", "on", "off"])
    switch.add_argument("name", nargs="?", help="see `fault list`")
    return top


if __name__ == "__main__":
    sys.exit(main())
