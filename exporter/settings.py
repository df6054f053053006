"""Every setting: a strict schema, read from command line over environment over file.

A setting ``database.host`` is ``--set database.host=…`` on the command line,
``MAGENTO_EXPORTER_DATABASE__HOST`` in the environment and

::

    database:
      host: …

in the YAML file. An unknown name is an error in all three. A secret is given as
``password`` (environment or file only), as ``password_file``, or as
``password_key``, its place in the shop's env.php. The last two are read again at
every login, so that a rotated password is followed.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Mapping
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from exporter.core.collector import Tuning
from exporter.core.holidays import known_region
from exporter.core.query import Connection
from exporter.errors import SettingsError
from exporter.files.following import Followed, Reader
from exporter.files.reading import read_bytes, reason
from exporter.files.tls import FollowedContext, no_passphrase

ENVIRONMENT_PREFIX: Final = "MAGENTO_EXPORTER_"
CONFIG_VARIABLE: Final = "MAGENTO_EXPORTER_CONFIG"
_SERVICE_LINK: Final = re.compile(
    r"MAGENTO_EXPORTER_(?:[A-Z0-9]+_)*(?:SERVICE_HOST|(?:SERVICE_)?PORT(?:_[A-Z0-9]+)*)"
)
"""What Kubernetes puts into the environment of every pod where a Service is called like this program."""
_HOST_AND_PORT: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:\s\[\]]+):[0-9]{1,5}")
_TOKEN: Final = re.compile(r"[!-~]+")
"""What can stand in a header."""
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "host": ("socket", "socket_of_localhost", "sentinel"),
    "port": ("socket_of_localhost",),
    "socket": ("sentinel",),
}
"""Where a server is can be said in several ways; one set by the user replaces what was found otherwise."""
PASSWORDS: Final = ("password", "password_file", "password_key")
"""The three ways to say a password; one set by the user replaces whichever was found."""

Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """A part of the settings: unknown names are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Credentials(Section):
    """A user and where its password comes from."""

    user: str = Field("", description="User to log in as; empty for none.")
    password: SecretStr | None = Field(None, description="Password. Better: `password_file`.")
    password_file: Path | None = Field(None, description="File with the password, read at every login.")

    password_key: str | None = Field(
        None,
        description="Path of the password in the shop's env.php, read at every login. Found automatically.",
        pattern=r"^[^/\s]+(/[^/\s]+)*$",
    )

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if sum(getattr(self, name) is not None for name in PASSWORDS) > 1:
            raise ValueError(f"give only one of {', '.join(PASSWORDS)}")
        return self

    def secret(self) -> Callable[[], str]:
        """Return a function that gives the password of this moment; it raises if the file is unreadable."""
        file, value = self.password_file, self.password
        if file is None:
            return lambda: value.get_secret_value() if value is not None else ""
        return lambda: read_secret(file)


class Tls(Section):
    """Encryption of a connection to a backend. The server's certificate is always verified."""

    ca_file: Path | None = Field(None, description="CA certificates to trust instead of the system's.")
    cert_file: Path | None = Field(None, description="Client certificate.")
    key_file: Path | None = Field(None, description="Key of the client certificate.")
    verify_host: bool = Field(default=True, description="Whether the certificate must name the host.")

    def context(self) -> ssl.SSLContext:
        """Return a context that follows its files; raises :exc:`SettingsError` if one cannot be used."""
        followed = Followed("TLS files", self._read)
        return FollowedContext(ssl.PROTOCOL_TLS_CLIENT, followed.current)

    def _read(self, reader: Reader, _before: ssl.SSLContext | None) -> ssl.SSLContext:
        files = [file for file in (self.ca_file, self.cert_file, self.key_file) if file]
        try:
            for file in files:
                reader.bytes(file)  # OpenSSL opens it itself, and would wait for a pipe
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.check_hostname = self.verify_host
            if self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file, password=no_passphrase)
        except (OSError, ValueError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise SettingsError(f"TLS ({', '.join(map(str, files))}): {why}") from None
        return context


class DatabaseServer(Credentials):
    """One MySQL or MariaDB server with one database."""

    user: str = Field("magento_exporter", description="Database user; see `magento-exporter grants`.")
    host: str = Field("localhost", description="Host name or address.")
    port: Port = Field(3306, description="TCP port.")
    socket: Path | None = Field(None, description="Unix socket; used instead of host and port.")
    socket_of_localhost: bool = Field(
        default=False,
        description="As PHP does: `localhost` means the server's usual Unix socket, if there is one.",
    )
    name: str = Field("magento", description="Database (schema) name.", min_length=1)
    tls: Tls | None = Field(None, description="Encrypt and verify the connection.")


class Database(DatabaseServer):
    """The shop's database; `checkout` and `sales` only for shops with a split database."""

    prefix: str = Field("", description="Table prefix (`db/table_prefix`).", pattern=r"^[A-Za-z0-9_]*$")
    checkout: DatabaseServer | None = Field(None, description="Server of the `checkout` connection.")
    sales: DatabaseServer | None = Field(None, description="Server of the `sales` connection.")
    threads: int = Field(3, ge=1, le=16, description="Statements at once at most, and connections at most.")

    def servers(self) -> Mapping[Connection, DatabaseServer]:
        """Return the server of each connection; one that is not split off is absent."""
        split = {Connection.CHECKOUT: self.checkout, Connection.SALES: self.sales}
        return {Connection.DEFAULT: self} | {name: server for name, server in split.items() if server}


class RabbitMQ(Credentials):
    """RabbitMQ's management API."""

    url: str = Field(
        description="Base URL of the management API, e.g. http://rabbitmq:15672.",
        pattern=r"^https?://[^@\s]+$",
    )
    vhost: str = Field("/", description="Virtual host of the shop.")
    tls: Tls | None = Field(None, description="Trust for an https URL.")


class Artemis(Credentials):
    """ActiveMQ Artemis, which Magento reaches by STOMP: its console's Jolokia."""

    url: str = Field(
        description="Jolokia of the broker's console, e.g. http://artemis:8161/console/jolokia.",
        pattern=r"^https?://[^@\s]+$",
    )
    tls: Tls | None = Field(None, description="Trust for an https URL.")


class Varnish(Section):
    """Varnish on the exporter's own machine (its shared memory is read by `varnishstat`)."""

    instances: tuple[str, ...] = Field(
        ("",), description="Instance names or working directories; empty text is the default instance."
    )
    program: str = Field("varnishstat", description="The program to run.", min_length=1)


class Fastly(Section):
    """The shop's service at Fastly, asked for its real-time statistics."""

    service: str = Field(description="ID of the service.", pattern=r"^[A-Za-z0-9]{1,64}$")
    token_file: Path = Field(
        description="File with an API token of scope `global:read`, read at every request."
    )
    url: str = Field(
        "https://rt.fastly.com", description="Address of the statistics.", pattern=r"^https?://[^@\s]+$"
    )
    tls: Tls | None = Field(None, description="Trust for an https URL.")

    def token(self) -> str:
        """Return the token of this moment; raises :exc:`SettingsError` if it cannot be read or is none."""
        token = read_secret(self.token_file).strip()
        if not _TOKEN.fullmatch(token):
            raise SettingsError(f"{self.token_file}: holds no token")
        return token


class RedisSentinel(Credentials):
    """The Sentinels that know where a role's server is at the moment."""

    servers: tuple[str, ...] = Field(description="Host and port of each.", min_length=1)
    master: str = Field(description="Name under which they know the server.", min_length=1)
    tls: Tls | None = Field(None, description="Encrypt and verify the connection.")

    @field_validator("servers")
    @classmethod
    def _have_ports(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            if not _HOST_AND_PORT.fullmatch(server):
                raise ValueError(f"{server}: write host:port")
        return servers


class RedisServer(Credentials):
    """One Redis or Valkey role."""

    host: str = Field("localhost", description="Host name or address.")
    port: Port = Field(6379, description="TCP port.")
    socket: Path | None = Field(None, description="Unix socket; used instead of host and port.")
    sentinel: RedisSentinel | None = Field(
        None, description="Ask Sentinels for the server; used instead of host and port."
    )
    database: int = Field(0, ge=0, description="Database number.")
    tls: Tls | None = Field(None, description="Encrypt and verify the connection.")


class Redis(Section):
    """The Redis or Valkey servers by their role in Magento."""

    cache: RedisServer | None = Field(None, description="Default cache (usually database 0).")
    page_cache: RedisServer | None = Field(None, description="Full-page cache (usually database 1).")
    session: RedisServer | None = Field(None, description="Sessions (usually database 2).")


class Search(Credentials):
    """The shop's search engine. What is not said here is as the shop's system configuration says it."""

    url: str | None = Field(
        None,
        description="Its address, e.g. http://opensearch:9200, if the exporter reaches it elsewhere.",
        pattern=r"^https?://[^@\s]+$",
    )
    prefix: str | None = Field(
        None, description="What the names of its indexes begin with, if it is not what the shop says."
    )
    tls: Tls | None = Field(None, description="Trust for an https address.")


class Php(Section):
    """PHP-FPM's pools, asked over FastCGI."""

    pools: dict[str, str] = Field(
        description="The pools by name: a socket's path, or host:port. With PHP 8, their `pm.status_listen`.",
        min_length=1,
    )
    status_path: str = Field("/status", description="The pools' `pm.status_path`.", pattern=r"^/[^?\s]*$")
    opcache_script: Path | None = Field(
        None, description="Where deploy/php/opcache.php lies on PHP's machine; without it no OPcache."
    )

    @field_validator("pools")
    @classmethod
    def _are_addresses(cls, pools: dict[str, str]) -> dict[str, str]:
        for name, address in pools.items():
            if not (address.startswith("/") or _HOST_AND_PORT.fullmatch(address)):
                raise ValueError(f"{name}: write the path of a socket, or host:port")
        return pools


class PrometheusServer(Credentials):
    """The Prometheus server that scrapes this exporter, asked only for the evidence of an alert."""

    url: str = Field(
        description="Its address, e.g. http://prometheus:9090.",
        pattern=r"^https?://[^@\s]+$",
    )
    tls: Tls | None = Field(None, description="Trust for an https URL.")


class EvidenceSettings(Section):
    """What is kept of the shop's state when an alert fires."""

    token_file: Path | None = Field(
        None, description="File with the token that Alertmanager's webhook sends; without it there is none."
    )


class Web(Section):
    """The exporter's own HTTP server."""

    listen: str = Field(
        "127.0.0.1:9816",
        description="Address and port. Beyond loopback a login, token or `unprotected` is required.",
        pattern=r"^(\[[0-9a-fA-F:]+\]|[^:\s\[\]]*):[0-9]{1,5}$",
    )
    config_file: Path | None = Field(
        None, description="TLS and basic auth in the format of the Prometheus exporter-toolkit."
    )
    bearer_token_file: Path | None = Field(None, description="File with a token that opens every page.")
    unprotected: bool = Field(
        default=False, description="Listen beyond loopback without login, e.g. in a private network."
    )
    runbook_directory: Path | None = Field(
        None, description="Runbook pages to serve instead of the built-in."
    )

    def address(self) -> tuple[str, int]:
        """Return host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - ":9816" asks for every address


class Links(Section):
    """Where people reach what alerts and runbooks link to; also for `magento-exporter pack`, `/rules.yml`."""

    runbooks: str = Field("", description="This exporter's /runbooks/, as people reach it.")
    standby_runbooks: str = Field(
        "", description="Another server of the runbooks, for those about a dead exporter."
    )
    grafana: str = Field("", description="Grafana, as people reach it.")
    storefront: str = Field("", description="The shop, as customers reach it, for commands of the runbooks.")
    alertmanager: str = Field("", description="Alertmanager, as people reach it, for the button Silence.")


class CommandSettings(Section):
    """How the commands of the runbooks are run where the shop is."""

    prefixes: dict[
        Literal["magento", "mysql", "redis-cli", "varnishadm", "varnishstat", "rabbitmqctl", "ps", "curl"],
        Annotated[str, Field(pattern=r"^[ -&(-~]{1,200}$")],
    ] = Field(
        default_factory=dict,
        description="By program, what runs a command given as one argument, e.g."
        " magento: docker compose exec -T php sh -c.",
    )
    magento_root: str = Field(
        "", description="The shop's directory there; magento_root by default.", pattern=r"^[A-Za-z0-9_./-]*$"
    )


class Limits(Section):
    """Nested time limits: each must be shorter than the one around it."""

    connect_seconds: Seconds = Field(
        2.0, description="Longest time to open a connection; to Redis it is half a second."
    )
    lock_wait_seconds: Seconds = Field(1.0, description="Longest wait of a statement for a lock.")
    statement_seconds: Seconds = Field(2.0, description="Longest run of a statement, enforced by the server.")
    read_seconds: Seconds = Field(
        3.0, description="Longest wait of the client for an answer; for Redis' it is 0.7 seconds."
    )
    collector_seconds: Seconds = Field(4.0, description="Longest wait of a scrape for one collector.")
    scrape_seconds: Seconds = Field(
        9.0, description="Longest time for an answer to /metrics; Prometheus' own timeout shortens it."
    )
    scrape_offset_seconds: Seconds = Field(0.5, description="Subtracted from Prometheus' timeout.")
    shutdown_seconds: Seconds = Field(5.0, description="Longest wait for a running scrape after SIGTERM.")
    series_per_collector: int = Field(5000, ge=1, description="Series kept of one collector at most.")
    minimum_refresh_seconds: float = Field(
        2.0, ge=0, le=60, description="Scrapes closer together than this share one run."
    )

    @model_validator(mode="after")
    def _nested(self) -> Self:
        names = ("lock_wait", "statement", "read", "collector", "scrape")
        limits = [(f"{name}_seconds", getattr(self, f"{name}_seconds")) for name in names]
        for (inner, short), (outer, long) in pairwise(limits):
            if short >= long:
                raise ValueError(f"{inner} ({short:g}) must be shorter than {outer} ({long:g})")
        return self


class Collectors(Section):
    """Which collectors run. A collector whose source is not configured is off in any case."""

    only: tuple[str, ...] | None = Field(None, description="Run these and no others.")
    disable: tuple[str, ...] = Field((), description="Do not run these.")


_DEFAULTS: Final = Tuning()


def _a_day(text: str) -> str:
    """Return the text if it is a day of one year or of every year."""
    date.fromisoformat(text if len(text) > len("12-24") else f"2024-{text}")
    return text


def _a_region(text: str) -> str:
    """Return the text if holidays of that country and region are known."""
    if not known_region(text):
        raise ValueError(f"no holidays are known of {text!r}")
    return text


Day = Annotated[str, AfterValidator(_a_day)]
Region = Annotated[str, AfterValidator(_a_region)]


class TuningSettings(Section):
    """Numbers that change what is computed."""

    settle_seconds: Seconds = Field(
        _DEFAULTS.settle_seconds, description="A transaction may stay open this long and still be counted."
    )
    abandoned_after_seconds: Annotated[float, Field(gt=0, le=7 * 86400)] = Field(
        _DEFAULTS.abandoned_after_seconds,
        description="A cart without an update for this long counts as abandoned.",
    )
    unpaid_late_after_seconds: Annotated[float, Field(gt=0, le=90 * 86400)] = Field(
        _DEFAULTS.unpaid_late_after_seconds,
        description="An order that has waited this long for its payment is late.",
    )
    held_late_after_seconds: Annotated[float, Field(gt=0, le=90 * 86400)] = Field(
        _DEFAULTS.held_late_after_seconds,
        description="An order that is this old, and held or in payment review, is late.",
    )
    backlog_scan_limit: int = Field(
        _DEFAULTS.backlog_scan_limit,
        ge=0,
        le=1_000_000,
        description="Changelog rows read at most to count distinct entities.",
    )
    checkout_objective: float | None = Field(
        _DEFAULTS.checkout_objective,
        gt=0.5,
        lt=1,
        description="Share of the attempts to place an order that should succeed, in every store; by default "
        "it is learned from each store's own month.",
    )
    holidays: bool = Field(
        _DEFAULTS.holidays,
        description="Whether fewer orders are expected on public holidays of the store's country.",
    )
    holiday_regions: dict[str, Region] = Field(
        {},
        description="The country, or country and region (`DE-BY`), of a store by its code, where holidays "
        "shall not follow `general/country/default`.",
    )
    own_holidays: list[Day] = Field(
        [],
        description="Further days that count as holidays of every store: `2026-12-24`, or `12-24` each year.",
    )
    no_holidays: list[Day] = Field(
        [], description="Public holidays on which the shop sells as on any day, written the same way."
    )


class Settings(Section):
    """All settings."""

    magento_root: Path | None = Field(None, description="The shop's directory; app/etc/env.php is read.")
    env_php: Path | None = Field(None, description="An env.php elsewhere.")
    database: Database | None = Field(None, description="The shop's MySQL or MariaDB.")
    rabbitmq: RabbitMQ | None = Field(None, description="The shop's message broker, if any.")
    artemis: Artemis | None = Field(
        None, description="The console of the shop's ActiveMQ Artemis, if it has one."
    )
    varnish: Varnish | None = Field(None, description="The shop's Varnish, if any.")
    fastly: Fastly | None = Field(None, description="The shop's service at Fastly, if it has one.")
    redis: Redis | None = Field(None, description="The shop's Redis or Valkey, if any.")
    php: Php | None = Field(None, description="The shop's PHP-FPM pools, if they can be reached from here.")
    search: Search | None = Field(
        None, description="The shop's search engine; an empty section takes its address from the shop."
    )
    prometheus: PrometheusServer | None = Field(None, description="Prometheus, for the evidence of alerts.")
    evidence: EvidenceSettings = Field(EvidenceSettings(), description="Evidence of alerts.")
    web: Web = Field(Web(), description="The HTTP server.")
    links: Links = Field(Links(), description="Addresses in alerts and dashboards.")
    commands: CommandSettings = Field(CommandSettings(), description="The commands of the runbooks.")
    limits: Limits = Field(Limits(), description="Time and series limits.")
    collectors: Collectors = Field(Collectors(), description="What runs.")
    tuning: TuningSettings = Field(TuningSettings(), description="Numbers in what is computed.")
    state_file: Path | None = Field(
        None, description="File that keeps counters over a restart; without it they start at 0."
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level logged.")
    log_format: str = Field("logfmt", pattern="^(logfmt|json)$", description="logfmt or json.")


def gather(
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what the user said, not yet validated: ``overrides`` (dotted) over environment over file.

    Raises :exc:`SettingsError` if the file cannot be read.
    """
    values = _read_file(file) if file else {}
    for name, text in (environment or {}).items():
        ours = name.startswith(ENVIRONMENT_PREFIX) and name != CONFIG_VARIABLE
        if ours and not _SERVICE_LINK.fullmatch(name):
            _put(values, name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"), text)
    for name, text in (overrides or {}).items():
        _put(values, name.split("."), text)
    return values


def validate(values: Mapping[str, Any], *, found: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings: ``values`` laid over what was ``found`` in the shop's own configuration.

    Raises :exc:`SettingsError` with one line that names the setting.
    """
    try:
        return Settings.model_validate(merge(dict(found or {}), values))
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None


def merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` with ``above`` over it; a new password or place replaces the old one."""
    if any(name in above for name in PASSWORDS):
        below = {name: value for name, value in below.items() if name not in PASSWORDS}
    replaced = {other for name in above for other in _PLACES.get(name, ())}
    below = {name: value for name, value in below.items() if name not in replaced}
    for name, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(name), dict):
            below[name] = merge(dict(below[name]), value)
        else:
            below[name] = value
    return below


def read_secret(file: Path) -> str:
    """Return the first line of a secret's file; raises :exc:`SettingsError` if it cannot be read."""
    try:
        return read_bytes(file).decode("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {_reason(error)}") from None


def redacted(settings: Settings) -> str:
    """Return the effective settings as YAML; a secret shows as asterisks (pydantic's own rendering)."""
    values = settings.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(values, sort_keys=False, default_flow_style=False)


def _read_file(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(read_bytes(file).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {_reason(error)}") from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        raise SettingsError(f"{file}{line}: not YAML") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{file}: settings are a mapping of names to values")
    return values


def _put(values: dict[str, Any], path: list[str], text: str) -> None:
    """Set one value given as text; lists and numbers are written as in YAML."""
    for part in path[:-1]:
        inner = values.get(part)
        values[part] = dict(inner) if isinstance(inner, dict) else {}
        values = values[part]
    values[path[-1]] = text if path[-1] == "password" else _parsed(text)


def _parsed(text: str) -> Any:
    """Only lists need parsing: pydantic turns text into numbers without help."""
    if text.startswith("[") and text.endswith("]"):
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError:
            return text
    return text


def _one_line(error: ValidationError) -> str:
    """Name the first wrong setting. The given value is left out: it may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        return f"{name}: no such setting{more}"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{name}: {message}{more}" if name else f"{message}{more}"


def _reason(error: Exception) -> str:
    return reason(error) if isinstance(error, OSError) else "not UTF-8 text"
