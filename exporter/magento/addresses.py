"""Addresses of servers, taken apart as Magento's libraries do: PDO's adapter, Credis, PDO's TLS options."""

from __future__ import annotations

import re
from typing import Any, Final

from exporter.magento.php_variables import Unknown, Value

_TRUE: Final = (True, 1, "1", "true")
_REDIS_URL: Final = re.compile(
    r"(?P<scheme>tcp|tls|ssl|tlsv\d(?:\.\d)?)://(?P<host>\[[^\]]*\]|[^:/]+)(?::(?P<port>\d+))?(?:/.*)?"
)
"""As Credis takes a server apart; what follows the port names a persistent connection."""
_SENTINEL_PORT: Final = 26379


def text_of(value: Value) -> str:
    """Return a value as PHP would print it; empty for one that is no text."""
    if isinstance(value, (Unknown, dict)) or value is None or value is False:
        return ""
    return "1" if value is True else str(value)


def database_address(host: str) -> dict[str, Any]:
    """Split ``host``, ``host:port``, ``[v6]:port`` or a socket path, as Magento's PDO adapter does.

    ``localhost`` means the server's Unix socket to PHP, whatever port is given. A port that is no number
    (``getenv()`` of one that is empty) is the usual one.
    """
    if host.startswith("/"):
        return {"socket": host}
    name, colon, port = host.rpartition(":")
    if not colon or (":" in name and not name.startswith("[")):
        name, port = host, ""
    address: dict[str, Any] = {"host": name.strip("[]")} | ({"port": int(port)} if port.isdecimal() else {})
    return {**address, "socket_of_localhost": True} if address["host"].lower() == "localhost" else address


def redis_address(server: str, port: str) -> dict[str, Any]:
    """Take a server apart as Credis does: host, path of a socket, or URL; TLS if the URL says so."""
    if not server:
        return {}
    url = _REDIS_URL.fullmatch(server)
    path = server.removeprefix("unix://")
    if path.startswith("/"):
        return {"socket": path}
    if url is None:
        address = database_address(server)
        address.pop("socket_of_localhost", None)
    else:
        address = {"host": url["host"].strip("[]")} | ({"port": url["port"]} if url["port"] else {})
    if "port" not in address and port:
        address["port"] = port
    return {**address, "tls": {}} if url is not None and url["scheme"] != "tcp" else address


def sentinel(servers: str, master: str) -> dict[str, Any]:
    """Return the sentinels of a comma-separated list, and the name that they know the server by."""
    addresses = [redis_address(server, "") for server in re.split(r"\s*,\s*", servers.strip()) if server]
    hosts = [
        f"[{a['host']}]:{port}" if ":" in a["host"] else f"{a['host']}:{port}"
        for a in addresses
        if "host" in a
        for port in [a.get("port", _SENTINEL_PORT)]
    ]
    found: dict[str, Any] = {"servers": hosts, "master": master}
    if any("tls" in address for address in addresses):
        found["tls"] = {}
    return {"sentinel": found}


def pdo_tls(options: dict[str | int, Value]) -> dict[str, Any]:
    """Return the TLS settings in PDO's driver options, by the numbers of the mysqlnd driver.

    PHP 8.5 moved them down by one, and a file may hold either: 1006 is a path only there.
    """
    shift = 1 if isinstance(options.get(1006), str) or _is_lone_authority(options) else 0
    names = {1007 - shift: "key_file", 1008 - shift: "cert_file", 1009 - shift: "ca_file"}
    files = {name: text for number, name in names.items() if (text := text_of(options.get(number)))}
    if not files:
        return {}
    return {**files, "verify_host": options.get(1014 - shift, True) in _TRUE}


def _is_lone_authority(options: dict[str | int, Value]) -> bool:
    """Return whether 1008 can only be PHP 8.5's authority: before, it is a certificate and needs a key."""
    return isinstance(options.get(1008), str) and not options.get(1007) and not options.get(1009)
