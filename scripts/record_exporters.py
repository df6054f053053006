"""Record pages of other exporters, for the contract test of what the rules read of them.

`suites` is a directory with one folder for each Debian suite, in which the suite's exporters are unpacked
(`apt-get download` and `dpkg -x` into SUITE/x). The servers are those of the sandbox. MySQL and OpenSearch
are not part of it: give their addresses if they run.

    python -m scripts.record_exporters suites [--mysql-port 3399] [--search http://127.0.0.1:9200]
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from promql.platform import SERIES
from sandbox.process import LOOPBACK, accepts, free_port, wait_until
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis, Sentinel
from sandbox.servers.storefront import Storefront

ROOT: Final = Path(__file__).resolve().parents[1]
OUT: Final = ROOT / "tests" / "exporters" / "recorded"
SUITES: Final = ("bookworm", "trixie", "sid")
START: Final = 30.0
SAMPLES: Final = 20
"""Samples kept of a series that the pack reads. Of any other, one: names and labels are what counts."""
LONGEST: Final = 40
"""A label value that is longer is a text."""
READ: Final = {metric.name for metric in SERIES}

_SAMPLE: Final = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_LEFT_OUT: Final = re.compile(
    r"(go_|promhttp_|process_|node_(uname|dmi|os|scrape)|.*_bucket$|mysql_(perf_|global_variables_)"
    r"|mysql_global_status_(commands|handlers|performance_schema)"
    r"|mysql_info_schema_(innodb_metrics|innodb_cmp)|elasticsearch_(ind|jvm_mem|proc|os_|trans|thr))"
)
_PRIVATE: Final = re.compile(r"[^A-Za-z0-9_.:+-]")
"""Label values with anything else are paths and texts of the machine: only that there is a value is kept."""


def main() -> None:
    """Record every page that can be had here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", type=Path)
    parser.add_argument("--mysql-port", type=int)
    parser.add_argument("--search", default="")
    parser.add_argument(
        "--only", nargs="*", default=["mysqld", "redis", "storefront", "node", "search", "rabbitmq"]
    )
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        if "rabbitmq" in options.only:
            _rabbitmq(home)
        for suite in SUITES:
            programs = options.suites / suite / "x" / "usr" / "bin"
            if "mysqld" in options.only:
                _mysqld(programs, home / suite, options.mysql_port)
            if "redis" in options.only:
                _redis(programs, home / suite)
            if "storefront" in options.only:
                _storefront(programs, home / suite)
            if "node" in options.only:
                _page(programs, "node", [], "linux", wait=3)
            if "search" in options.only and options.search:
                _search(programs, options.search)


def _mysqld(programs: Path, home: Path, mysql_port: int | None) -> None:
    flags = ["--collect.info_schema.innodb_metrics", "--collect.info_schema.processlist"]
    replica = ("--server-id=2", "--skip-slave-start", "--relay-log=relay")
    with (
        MariaDB(
            home / "first", arguments=["--log-bin=bin", "--server-id=1", "--innodb-monitor-enable=all"]
        ) as first,
        MariaDB(home / "second", arguments=replica) as second,
    ):
        for server in (first, second):
            server.execute("CREATE OR REPLACE USER exp@localhost IDENTIFIED BY 'exp'")
            server.execute("GRANT ALL ON *.* TO exp@localhost")
        first.execute("CREATE USER copy@'%' IDENTIFIED BY 'copy'")
        first.execute("GRANT REPLICATION SLAVE ON *.* TO copy@'%'")
        second.execute(
            f"CHANGE MASTER TO MASTER_HOST='{LOOPBACK}', MASTER_PORT={first.port}, MASTER_USER='copy',"
            " MASTER_PASSWORD='copy', MASTER_USE_GTID=slave_pos"
        )
        login = _login(home / "first.cnf", f"user=exp\npassword=exp\nsocket={first.socket}\n")
        _page(programs, "mysqld", [*flags, login], "mariadb-10.11")
        login = _login(home / "second.cnf", f"user=exp\npassword=exp\nsocket={second.socket}\n")
        second.execute("START SLAVE")
        time.sleep(3)
        _page(programs, "mysqld", [*flags, login], "mariadb-10.11-replica", only="mysql_slave_status")
        second.execute("STOP SLAVE IO_THREAD")
        time.sleep(1)
        _page(programs, "mysqld", [*flags, login], "mariadb-10.11-stopped", only="mysql_slave_status")
    if mysql_port:
        said = f"user=exp\npassword=exp\nhost={LOOPBACK}\nport={mysql_port}\n"
        _page(programs, "mysqld", [*flags, _login(home / "mysql.cnf", said)], "mysql-9.7-stopped")


def _login(file: Path, said: str) -> str:
    file.write_text(f"[client]\n{said}")
    return f"--config.my-cnf={file}"


def _redis(programs: Path, home: Path) -> None:
    with Redis(home / "redis") as server, Sentinel(home / "sentinel") as sentinel:
        with server.client() as client:
            client.set("key", "value")
        sentinel.watch(server, master="shop", quorum=2)
        server.refuse_writes()
        with server.client() as client:
            client.execute_command("EVAL", "return redis.pcall('SET', 'a', 'b')['err']", "0")
        _page(
            programs, "redis", [f"-redis.addr={server.url}"], "redis-7.0-full", listen="-web.listen-address"
        )
        time.sleep(2)
        sentinel_url = f"redis://{LOOPBACK}:{sentinel.port}"
        _page(
            programs, "redis", [f"-redis.addr={sentinel_url}"], "sentinel-7.0", listen="-web.listen-address"
        )


def _rabbitmq(home: Path) -> None:
    """Record RabbitMQ's own page: its exporter is a part of it."""
    with RabbitMQ(home / "rabbitmq") as server:
        server.declare_queues(["export"])
        address = f"http://{LOOPBACK}:{server.prometheus_port}/metrics"
        text = httpx.get(address, timeout=20, trust_env=False).raise_for_status().text
    found = re.search(r'rabbitmq_version="(\d+\.\d+)', text)
    version = found[1] if found else "unknown"
    head = f"# rabbitmq_prometheus {version}\n"
    page = OUT / f"rabbitmq-{version}@rabbitmq-{version}.prom"
    page.write_text(head + "\n".join(_reduced(text)) + "\n")


def _storefront(programs: Path, home: Path) -> None:
    with Storefront(home / "storefront") as shop:
        varnish = ["-n", str(shop.varnish.name_directory)]
        _page(programs, "varnish", varnish, "varnish-7.1", listen="-web.listen-address")
        status = f"http://{LOOPBACK}:{shop.nginx.status_port}/nginx-status"
        _page(programs, "nginx", [f"-nginx.scrape-uri={status}"], "nginx-1.22", listen="-web.listen-address")
        if (programs / "prometheus-phpfpm-exporter").exists():
            flags = [f"--phpfpm.socket-paths={shop.php_fpm.socket}", "--phpfpm.status-path=/php-fpm-status"]
            _page(programs, "phpfpm", flags, "php-fpm-8.2")
        with _tls(home) as address:
            configuration = home / "blackbox.yml"
            configuration.write_text(
                "modules: {any: {prober: http, http: {tls_config: {insecure_skip_verify: true}}}}\n"
            )
            flags = [f"--config.file={configuration}"]
            page = f"/probe?module=any&target={address}"
            _page(programs, "blackbox", flags, "https", path=page)


@contextmanager
def _tls(home: Path) -> Iterator[str]:
    port, key, certificate = free_port(), home / "key.pem", home / "certificate.pem"
    files: list[str | Path] = ["-key", key, "-cert", certificate]
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop.example"]
    subprocess.run(
        [*request, "-days", "30", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
        timeout=60,
    )
    command = ["openssl", "s_server", "-www", *files, "-accept", str(port)]
    with _running(command, port):
        yield f"https://{LOOPBACK}:{port}/"


def _search(programs: Path, address: str) -> None:
    index = f"{address}/magento2_product_1_v1"
    httpx.put(index, json={"settings": {"number_of_replicas": 1}}, trust_env=False)
    full = {"index.blocks.read_only_allow_delete": True}  # as a full disk does; the server takes it back
    httpx.put(f"{index}/_settings", json=full, trust_env=False).raise_for_status()
    flags = [f"--es.uri={address}", "--es.all", "--es.indices", "--es.shards", "--es.indices_settings"]
    _page(programs, "elasticsearch", flags, "opensearch-2.19-read-only", wait=3)


def _page(
    programs: Path,
    exporter: str,
    flags: Sequence[str],
    server: str,
    *,
    only: str = "",
    path: str = "/metrics",
    listen: str = "--web.listen-address",
    wait: float = 0,
) -> None:
    program = programs / f"prometheus-{exporter}-exporter"
    port = free_port()
    with _running([program, *flags, f"{listen}={LOOPBACK}:{port}"], port):
        time.sleep(wait)
        answer = httpx.get(f"http://{LOOPBACK}:{port}{path}", timeout=20, trust_env=False)
    answer.raise_for_status()
    version = _version(program)
    shown = [flag for flag in flags if flag.startswith("--collect") or flag in {"--es.all", "--es.indices"}]
    head = f"# {exporter}_exporter {version}, {server}{''.join(f', {flag}' for flag in shown)}\n"
    (OUT / f"{exporter}-{version}@{server}.prom").write_text(
        head + "\n".join(_reduced(answer.text, only)) + "\n"
    )
    print(f"{exporter} {version} @ {server}")


def _version(program: Path) -> str:
    package = program.parents[3] / "debs"
    name = program.name
    file = next(package.glob(f"{name}_*.deb"))
    return file.name.split("_")[1].split("-")[0]


@contextmanager
def _running(command: Sequence[str | Path], port: int) -> Iterator[None]:
    with subprocess.Popen(
        [str(word) for word in command],
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(lambda: accepts(port), seconds=START, what=f"{command[0]} does not listen")
            yield
        finally:
            process.kill()


def _reduced(page: str, only: str = "") -> Iterator[str]:
    """Yield the types and some samples of each series, without what tells of the machine."""
    seen: dict[tuple[str, tuple[str, ...]], int] = {}
    kind = ""
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            kind = line
        elif line.startswith(only) and not line.startswith("#") and (match := _SAMPLE.fullmatch(line)):
            labels = [(name, _said(value)) for name, value in _LABEL.findall(match["labels"] or "")]
            key = (match["name"], tuple(name for name, _ in labels))
            seen[key] = seen.get(key, 0) + 1
            if match["name"] not in READ and (seen[key] > 1 or _LEFT_OUT.match(match["name"])):
                continue
            if seen[key] > SAMPLES:
                continue
            if kind:
                yield kind
                kind = ""
            inside = ",".join(f'{name}="{value}"' for name, value in labels)
            yield f"{match['name']}{{{inside}}} {match['value']}" if inside else line


def _said(value: str) -> str:
    return "..." if _PRIVATE.search(value) or len(value) > LONGEST else value


if __name__ == "__main__":
    main()
