"""`python -m sandbox demo`: a living shop under observation, until Ctrl-C."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import httpx

from sandbox import faults, packages
from sandbox.errors import SandboxError, ServerError
from sandbox.paths import PROJECT, STATE
from sandbox.process import Process
from sandbox.scratch import SmallDisk
from sandbox.server_faults import ServerFaults
from sandbox.servers.alertmanager import CONFIGURATION, Webhook
from sandbox.servers.magento_exporter import MagentoExporter
from sandbox.servers.redis import DATABASES
from sandbox.shop import directory
from sandbox.shop.schema import VERSIONS
from sandbox.stack import DATABASE, SEARCH, Stack, exclusive

WWW = PROJECT / "sandbox" / "shop" / "www"
INSTALL_SECONDS = 300
OBSERVER = "magento_exporter"
OBSERVER_PASSWORD = "observer"
EVIDENCE_TOKEN = "evidence"
GRAFANA = "http://localhost:3000"
"""Where docker-compose.yml has it; a demo starts none."""


@dataclass(frozen=True)
class Options:
    """What the person at the terminal asked for."""

    directory: Path = STATE
    seconds: float | None = None
    faults: tuple[str, ...] = ()
    keep: bool = False
    scrape_seconds: float = 5
    version: str = VERSIONS[0]
    prefix: str = ""
    shop_arguments: tuple[str, ...] = ()
    """Handed to `python -m sandbox.shop run` as they are."""
    history: tuple[str, ...] = ()
    """Handed to `python -m sandbox.shop install` as they are."""
    rules: Path | None = None
    """Directory of the rules that Prometheus loads; without one, the shop's own with this machine's links."""
    alertmanager: Path = CONFIGURATION
    """Alertmanager's configuration file."""
    exporter: tuple[str, ...] = ("exporter",)
    """Module of the exporter, and the arguments before its own."""
    beside: tuple[str, ...] = ()
    """Some of `sandbox.stack.BESIDE`."""
    exporter_settings: Mapping[str, Any] = field(default_factory=dict)
    """Laid over the exporter's settings for this shop."""


def run(options: Options) -> None:
    """Show the shop until `options.seconds` have passed, or until Ctrl-C or SIGTERM."""
    state = options.directory.resolve()
    with interruptible(), exclusive(state):
        clear(state)
        install_packages()
        try:
            Demo(options, state).run()
        except KeyboardInterrupt:
            print("\nstopped")
        if not options.keep:
            clear(state)


class Demo:
    """One run: what it is made of, and the order in which it comes and goes."""

    def __init__(self, options: Options, state: Path) -> None:
        self.options = options
        self.state = state
        self.rules = options.rules or state / "servers" / "rules"
        self.stack = Stack(
            state,
            www=WWW if WWW.exists() else None,
            rules=self.rules,
            scrape_seconds=options.scrape_seconds,
            prefix=options.prefix,
            alertmanager=options.alertmanager,
            beside=options.beside,
        )
        self.exporter = MagentoExporter(
            state / "servers" / "magento-exporter",
            settings={**exporter_settings(self.stack), **options.exporter_settings},
            module=options.exporter,
        )
        self.stack.alertmanager.evidence = Webhook(
            f"http://{self.exporter.address}/api/alerts", evidence_token(self.stack)
        )
        self.shop = shop_process(options, state)
        self.faults = ServerFaults(self.stack, self.exporter)

    def run(self) -> None:
        """Bring everything up, watch it, and take it down."""
        began = time.monotonic()
        with ExitStack() as undo:
            undo.callback(self.stack.stop)
            write_secret(evidence_token(self.stack), EVIDENCE_TOKEN)
            if not self.options.rules:
                write_rules(self.rules, f"http://{self.exporter.address}/runbooks/")
            say("starting the servers ...")
            self.stack.launch()
            install_shop(self.stack, self.options)
            directory.make(self.stack.endpoints(), version=self.options.version)
            if SEARCH in self.stack.beside:
                self.stack.name_search()
            self.stack.wait_ready()
            if SEARCH in self.stack.beside:
                self.stack.fill_search()
            self._start_shop_and_exporter(undo)
            say(f"up after {time.monotonic() - began:.1f} s\n\n{self._addresses()}\n")
            for name in self.options.faults:
                faults.switch_on(self.state, name)
            self._watch()
            say("\nstopping ...")

    def _start_shop_and_exporter(self, undo: ExitStack) -> None:
        undo.callback(self.shop.stop)
        self.shop.start()
        admit_observer(self.stack, self.state / "servers" / "observer-password")
        undo.callback(self.exporter.stop)
        self.exporter.start()
        self.stack.prometheus.set_targets({self.exporter.job: [self.exporter.address]})
        self.stack.add_url("exporter", f"http://{self.exporter.address}")

    def _addresses(self) -> str:
        urls = {"exporter": f"http://{self.exporter.address}", **self.stack.urls()}
        return "\n".join(f"  {name:<15} {url}" for name, url in urls.items())

    def _watch(self) -> None:
        end = None if self.options.seconds is None else time.monotonic() + self.options.seconds
        line = StatusLine()
        while end is None or time.monotonic() < end:
            for change in self.faults.apply(faults.switched_on(self.state, faults.Actor.SERVERS)):
                line.interrupt(f"fault {change}")
            self._raise_if_something_ended()
            line.show(self._status())
            time.sleep(1)
        line.interrupt("")

    def _raise_if_something_ended(self) -> None:
        if not self.shop.running:
            raise ServerError(f"the simulated shop ended early\n{self.shop.last_log_lines()}")
        for server in (*self.stack.servers, self.exporter):
            if not server.running and not self.faults.affected(server):
                raise ServerError(f"{server.name} ended early\n{server.process.last_log_lines()}")

    def _status(self) -> str:
        orders = self._value("sum(rate(magento_orders_placed_total[1m])) * 60")
        age = self._value('time() - max(timestamp(up{job="magento"}))')
        up, targets = self._value("sum(up)"), self._value("count(up)")
        on = sorted(faults.switched_on(self.state))
        return (
            f"{time.strftime('%H:%M:%S')}  orders/min {orders:>5}  up {up}/{targets}  last scrape {age} s ago"
            + (f"  faults: {', '.join(on)}" if on else "")
        )

    def _value(self, expression: str) -> str:
        """Return one number as Prometheus has it now, or a dash."""
        try:
            result = self.stack.prometheus.query(expression)
        except (httpx.HTTPError, SandboxError, ValueError):
            return "-"
        return f"{float(result[0]['value'][1]):.3g}" if result else "-"


def exporter_settings(stack: Stack) -> dict[str, Any]:
    """Return the exporter's settings for this shop: the least-privileged users of `admit_observer`."""
    return {
        "database": {
            "host": stack.mariadb.host,
            "port": stack.mariadb.port,
            "user": OBSERVER,
            "password": OBSERVER_PASSWORD,
            "name": DATABASE,
            "prefix": stack.prefix,
        },
        "rabbitmq": {
            "url": stack.rabbitmq.management_url,
            "vhost": stack.rabbitmq.vhost,
            "user": OBSERVER,
            "password": OBSERVER_PASSWORD,
        },
        "redis": {
            role: {"host": stack.redis.host, "port": stack.redis.port, "database": number}
            for role, number in DATABASES.items()
        },
        **({"search": {}} if SEARCH in stack.beside else {}),
        "php": {
            "pools": {"www": str(stack.storefront.php_fpm.status_socket)},
            "status_path": "/php-fpm-status",
            "opcache_script": str(PROJECT / "deploy" / "php" / "opcache.php"),
        },
        "varnish": {"instances": [str(stack.varnish.name_directory)]},
        "magento_root": str(stack.shop_directory),
        "state_file": str(stack.state / "servers" / "magento-exporter" / "state"),
        "prometheus": {"url": stack.prometheus.url},
        "links": {"grafana": GRAFANA, "alertmanager": stack.alertmanager.url},
        "evidence": {"token_file": str(evidence_token(stack))},
    }


def evidence_token(stack: Stack) -> Path:
    """Return the file with the token that Alertmanager sends the exporter."""
    return stack.state / "servers" / "evidence-token"


def write_secret(file: Path, secret: str) -> None:
    """Write a file that only its owner can read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(secret)


def admit_observer(stack: Stack, password_file: Path) -> None:
    """Make the users that the exporter logs in with, with the rights that it says it needs."""
    write_secret(password_file, OBSERVER_PASSWORD)
    shop = {"socket": str(stack.mariadb.socket), "user": "root", "name": DATABASE, "prefix": stack.prefix}
    settings = [word for key, value in shop.items() for word in ("--set", f"database.{key}={value}")]
    account = ["--user", OBSERVER, "--from-host", stack.mariadb.host, "--password-file", str(password_file)]
    command = [sys.executable, "-m", "exporter", "grants", "--dialect", "mariadb", *account, *settings]
    statements = output_of(command, "the exporter's rights are not known").split(";\n")
    with stack.mariadb.connect() as connection, connection.cursor() as cursor:
        for statement in filter(str.strip, statements):
            cursor.execute(statement)
        # Optional, for the age of the oldest transaction. Nobody's data is in the statements here.
        cursor.execute(f"GRANT PROCESS ON *.* TO '{OBSERVER}'@'{stack.mariadb.host}'")
    stack.rabbitmq.declare_user(OBSERVER, OBSERVER_PASSWORD, tags="management", vhost=stack.rabbitmq.vhost)


def install_packages() -> None:
    """Install the servers' Debian packages unless they are there."""
    wanted = packages.missing()
    if wanted:
        say(f"installing {len(wanted)} Debian packages: {' '.join(wanted)} ...")
        packages.install()


def install_shop(stack: Stack, options: Options) -> None:
    """Create the shop's tables and seed them."""
    say(f"installing the shop ({options.version}) ...")
    where = ["--database-socket", str(stack.mariadb.socket), "--database-name", DATABASE]
    what = ["--prefix", stack.prefix, "--version", options.version, *options.history]
    output_of(
        [sys.executable, "-m", "sandbox.shop", "install", *where, *what], "the shop could not be installed"
    )


def write_rules(directory: Path, runbooks: str) -> None:
    """Write the pack's rules; their links lead to the demo's own exporter."""
    command = [sys.executable, "-m", "alerts", "--demo", "--out", str(directory), "--runbook-base", runbooks]
    output_of(command, "the rules could not be written")


def output_of(command: Sequence[str], complaint: str) -> str:
    """Run one of the project's own commands to its end and return what it printed; raise if it failed."""
    outcome = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
    )
    if outcome.returncode:
        raise SandboxError(f"{complaint}:\n{outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def shop_process(options: Options, state: Path) -> Process:
    """Return the simulation: shoppers, cron, indexers and consumers."""
    command: Sequence[str | Path] = [sys.executable, "-m", "sandbox.shop", "run", "--state-dir", state]
    log = state / "servers" / "shop.log"
    return Process("shop", [*command, *options.shop_arguments], log=log, cwd=PROJECT)


def clear(state: Path) -> None:
    """Remove what an earlier run left in the state directory; the cache may stay."""
    SmallDisk(state / "servers" / "disk").stop()
    for name in ("servers", "faults"):
        shutil.rmtree(state / name, ignore_errors=True)
    for name in ("endpoints.json", "urls.json"):
        (state / name).unlink(missing_ok=True)


@contextmanager
def interruptible() -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into KeyboardInterrupt; later ones do not disturb the stopping."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_: object) -> NoReturn:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StatusLine:
    """One line that is rewritten on a terminal, and written now and then to anything else."""

    def __init__(self, *, seconds_between: float = 10) -> None:
        self._terminal = sys.stdout.isatty()
        self._seconds_between = seconds_between
        self._next = 0.0

    def show(self, text: str) -> None:
        """Show the newest state."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{text[:width]:<{width}}", end="", flush=True)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + self._seconds_between
            say(text)

    def interrupt(self, text: str) -> None:
        """Leave a line that stays."""
        if self._terminal:
            print()
        if text:
            say(text)


def say(text: str) -> None:
    """Tell the person at the terminal, at once even through a pipe."""
    print(text, flush=True)
