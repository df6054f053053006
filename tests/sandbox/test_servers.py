"""The sandbox's own promises: ready means ready, down means down, and stopped means gone."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from redis import OutOfMemoryError, RedisError

from sandbox.errors import ServerError
from sandbox.process import Process, accepts, free_port, wait_until
from sandbox.servers.alertmanager import Alertmanager
from sandbox.servers.base import Server
from sandbox.servers.exporters import MysqldExporter, NodeExporter, RedisExporter, VarnishExporter
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.nginx import Nginx
from sandbox.servers.php_fpm import PhpFpm
from sandbox.servers.prometheus import Prometheus
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import DATABASES, Redis
from sandbox.servers.storefront import Storefront
from sandbox.servers.varnish import Varnish
from tests.harness.limits import LONG

MAKERS: dict[str, Callable[[Path], Server]] = {
    "alertmanager": Alertmanager,
    "mariadb": MariaDB,
    "mysqld-exporter": lambda directory: MysqldExporter(directory, mariadb=MariaDB(directory)),
    "nginx": lambda directory: Nginx(directory, www=directory, php_fpm=directory / "nobody.sock"),
    "node-exporter": NodeExporter,
    "php-fpm": PhpFpm,
    "prometheus": Prometheus,
    "rabbitmq": RabbitMQ,
    "redis": Redis,
    "redis-exporter": lambda directory: RedisExporter(directory, redis=Redis(directory)),
    "varnish": lambda directory: Varnish(directory, origin_port=free_port()),
}


@pytest.fixture(params=sorted(MAKERS))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    made = MAKERS[request.param](tmp_path / "its-own")
    yield made
    made.stop()


def alive(pids: list[int]) -> list[int]:
    """Return those that still exist and are more than an unread exit code."""
    return [pid for pid in pids if (stat := state(pid)) is not None and stat != "Z"]


def state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def test_a_server_survives_pause_kill_and_restart_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.start()
    assert server.ready()
    first = server.process.members()

    server.pause()
    assert {state(pid) for pid in server.process.members()} == {"T"}
    server.resume()
    wait_until(server.ready, seconds=LONG, what=f"{server.name} answers after a pause")

    server.kill()
    assert not server.running
    assert not server.ready()
    assert alive(first) == []

    server.restart()
    assert server.ready()
    second = server.process.members()

    server.stop()
    assert alive(second) == []
    assert not server.running
    assert mentioning(tmp_path) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["its-own"]


def test_nothing_of_a_server_is_left_under_another_name(tmp_path: Path) -> None:
    """Erlang's port mapper is a daemon that Erlang starts unless there is one."""
    with RabbitMQ(tmp_path) as server:
        server.kill()
        server.restart()
        names = [(Path(f"/proc/{pid}") / "comm").read_text().strip() for pid in mentioning(tmp_path)]
        assert names.count("epmd") == 1
        assert names.count("beam.smp") == 1
    assert mentioning(tmp_path) == []


def mentioning(directory: Path) -> list[int]:
    """Return the living processes that work in the directory or have it in their environment or command."""
    needle = os.fsencode(directory)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            text = b"".join((entry / name).read_bytes() for name in ("environ", "cmdline"))
            text += os.fsencode((entry / "cwd").readlink())
        except OSError:  # it ended meanwhile, or is not ours to look at
            continue
        if needle in text:
            found.append(int(entry.name))
    return found


def test_two_of_a_kind_run_side_by_side(tmp_path: Path, mariadb: MariaDB, redis_server: Redis) -> None:
    with MariaDB(tmp_path / "mariadb") as other, Redis(tmp_path / "redis") as other_redis:
        mariadb.execute("CREATE DATABASE only_here")
        redis_server.client().set("only", "here")
        assert other.execute("SHOW DATABASES LIKE 'only_here'") == ()
        assert other_redis.client().get("only") is None
        mariadb.execute("DROP DATABASE only_here")


def test_mariadb_keeps_committed_rows_over_a_kill(tmp_path: Path) -> None:
    with MariaDB(tmp_path, arguments=["--default-time-zone=+02:00"]) as server:
        server.execute("CREATE DATABASE shop")
        server.execute("CREATE TABLE t (id INT PRIMARY KEY) ENGINE=InnoDB", database="shop")
        server.execute("INSERT INTO t VALUES (7)", database="shop")
        port = server.port
        server.kill()
        server.restart()
        assert server.port == port
        assert server.execute("SELECT id, @@time_zone FROM t", database="shop") == ((7, "+02:00"),)


def test_mariadb_lets_root_in_over_the_socket_only(mariadb: MariaDB) -> None:
    accounts = mariadb.execute("SELECT User, Host FROM mysql.user WHERE User <> 'mariadb.sys'")
    assert ("root", "localhost") in accounts
    assert not [account for account in accounts if account[0] == "root" and account[1] != "localhost"]


def test_mariadb_says_why_a_path_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="over 107 bytes"):
        MariaDB(tmp_path / ("x" * 100)).start()


def test_a_paused_redis_accepts_and_does_not_answer(tmp_path: Path) -> None:
    with Redis(tmp_path) as server, server.client() as client:
        client.connection_pool.connection_kwargs["socket_timeout"] = 0.2
        server.pause()
        assert accepts(server.port)
        with pytest.raises(RedisError):
            client.ping()
        server.resume()
        wait_until(server.ready, seconds=LONG, what="redis answers again")


def test_a_full_redis_refuses_writes_until_there_is_room_again(tmp_path: Path) -> None:
    with Redis(tmp_path) as server, server.client("session") as client:
        client.hset("sess_before", "data", "kept")
        server.refuse_writes()
        with pytest.raises(OutOfMemoryError):
            client.hset("sess_new", "data", "lost")
        assert client.hget("sess_before", "data") == "kept"
        assert client.info("errorstats")["errorstat_OOM"]["count"] == 1
        server.kill()
        server.restart()
        with pytest.raises(OutOfMemoryError):
            client.hset("sess_new", "data", "lost")
        server.kill()
        server.accept_writes()
        server.restart()
        assert client.hset("sess_new", "data", "kept") == 1
        server.refuse_writes()
        server.accept_writes()
        assert client.hset("sess_other", "data", "kept") == 1


def test_redis_has_magentos_three_databases(redis_server: Redis) -> None:
    assert DATABASES == {"cache": 0, "page_cache": 1, "session": 2}
    for role, number in DATABASES.items():
        redis_server.client(role).set("role", role)
        assert f"db{number}" in str(redis_server.client().info("keyspace"))


def test_rabbitmq_declares_through_its_api(rabbitmq: RabbitMQ) -> None:
    rabbitmq.declare_vhost("a/shop")
    rabbitmq.declare_queues(["async.operations.all"], vhost="a/shop")
    rabbitmq.declare_user("reader", "secret", tags="monitoring", vhost="a/shop")
    answer = httpx.get(
        f"{rabbitmq.management_url}/api/queues/a%2Fshop", auth=("reader", "secret"), timeout=LONG
    )
    assert [queue["name"] for queue in answer.json()] == ["async.operations.all"]
    refused = httpx.delete(
        f"{rabbitmq.management_url}/api/queues/a%2Fshop/async.operations.all",
        auth=("reader", "secret"),
        timeout=LONG,
    )
    assert refused.status_code in (401, 403)
    metrics = httpx.get(f"http://127.0.0.1:{rabbitmq.prometheus_port}/metrics", timeout=LONG)
    assert "rabbitmq_build_info" in metrics.text


def cache_debug(storefront: Storefront, path: str, **headers: str) -> str:
    answer = httpx.get(storefront.varnish.url + path, headers=headers, timeout=LONG)
    return answer.headers["X-Magento-Cache-Debug"]


def test_varnish_caches_passes_and_purges_as_magento_has_it(varnish_stack: Storefront) -> None:
    varnish_stack.varnish.purge()
    assert cache_debug(varnish_stack, "/a-page") == "MISS"
    assert cache_debug(varnish_stack, "/a-page") == "HIT"
    assert cache_debug(varnish_stack, "/a-page?utm_source=mail&gclid=1") == "HIT"
    assert cache_debug(varnish_stack, "/a-page?p=2") == "MISS"
    assert cache_debug(varnish_stack, "/a-page?p=2&utm_source=mail") == "HIT"
    assert cache_debug(varnish_stack, "/a-page", Cookie="X-Magento-Vary=abc") == "MISS"
    for path in ("/customer/section/load", "/checkout/cart", "/health_check.php", "/static/x.js"):
        assert cache_debug(varnish_stack, path) == "UNCACHEABLE"

    varnish_stack.varnish.purge("(^|,)cat_p_1(,|$)")
    assert cache_debug(varnish_stack, "/a-page") == "HIT"
    varnish_stack.varnish.purge("placeholder")
    assert cache_debug(varnish_stack, "/a-page") == "MISS"


def test_varnish_refuses_a_purge_without_a_pattern(varnish_stack: Storefront) -> None:
    assert httpx.request("PURGE", varnish_stack.varnish.url).status_code == 400


def test_varnish_hides_what_the_origin_tells_it(varnish_stack: Storefront) -> None:
    assert "X-Magento-Tags" in httpx.get(varnish_stack.nginx.url).headers
    assert not {"x-magento-tags", "server", "via", "x-powered-by"} & set(
        httpx.get(varnish_stack.varnish.url).headers
    )


def test_varnish_counts_hits(varnish_stack: Storefront) -> None:
    httpx.get(varnish_stack.varnish.url)
    before = varnish_stack.varnish.counters()["MAIN.cache_hit"]
    httpx.get(varnish_stack.varnish.url)
    wait_until(  # more than one where a hit from before was not counted at once
        lambda: varnish_stack.varnish.counters()["MAIN.cache_hit"] > before,
        seconds=LONG,
        what="one hit more",
    )


def test_php_fpm_has_a_status_page_that_shoppers_do_not_see(varnish_stack: Storefront) -> None:
    status = httpx.get(varnish_stack.nginx.php_fpm_status_url, params={"json": ""}).json()
    assert status["pool"] == "www"
    assert "pool" not in httpx.get(varnish_stack.varnish.url + "/php-fpm-status?json").text


def test_prometheus_scrapes_what_it_is_told_to(
    tmp_path: Path, varnish_stack: Storefront, prometheus_factory: Callable[..., Prometheus]
) -> None:
    exporter = VarnishExporter(tmp_path / "exporter", varnish=varnish_stack.varnish)
    with exporter, Alertmanager(tmp_path / "alertmanager") as alertmanager:
        prometheus = prometheus_factory(scrape_seconds=0.5)
        prometheus.set_targets(
            {"varnish": [exporter.address], "alertmanager": [f"127.0.0.1:{alertmanager.port}"]}
        )
        expected = {"varnish": "up", "alertmanager": "up", "prometheus": "up"}
        wait_until(lambda: prometheus.target_health() == expected, seconds=LONG, what="all targets are up")
        wait_until(lambda: bool(prometheus.query("varnish_up == 1")), seconds=LONG, what="varnish_up is 1")


def test_prometheus_alerts_reach_alertmanager(
    tmp_path: Path, prometheus_factory: Callable[..., Prometheus]
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "always.yml").write_text("groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]\n")
    configuration = tmp_path / "quick.yml"
    configuration.write_text("route: {receiver: nobody, group_wait: 0s}\nreceivers: [{name: nobody}]\n")
    with Alertmanager(tmp_path / "alertmanager", configuration=configuration) as alertmanager:
        prometheus_factory(
            scrape_seconds=0.5, rules=rules, targets={"alertmanager": [f"127.0.0.1:{alertmanager.port}"]}
        )
        wait_until(lambda: bool(alertmanager.alerts()), seconds=LONG, what="the alert arrives")
        assert alertmanager.alerts()[0]["labels"]["alertname"] == "Always"


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"no-such-option"):
        MariaDB(tmp_path, arguments=["--no-such-option"]).start()


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    process = Process("nothing", [tmp_path / "nothing"], log=tmp_path / "log")
    process.start()
    with pytest.raises(ServerError, match="nothing"):
        process.wait_ready(lambda: False, seconds=LONG)


def test_a_server_dies_with_its_parent(tmp_path: Path) -> None:
    """The parent is a process of its own that starts a server and is then killed outright."""
    program = (
        "import pathlib, time\n"
        "from sandbox.servers.redis import Redis\n"
        f"server = Redis(pathlib.Path({str(tmp_path / 'redis')!r}))\n"
        "server.start()\n"
        "print('pid', server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = Process("parent", [sys.executable, "-c", program], log=tmp_path / "log", cwd=Path.cwd())
    parent.start()
    parent.wait_ready(lambda: "pid" in parent.last_log_lines(), seconds=LONG)
    child = int(parent.last_log_lines().split()[1])
    os.kill(parent.pid, 9)
    wait_until(lambda: alive([child]) == [], seconds=LONG, what="the server follows its parent")
    parent.stop()


def test_stop_ends_a_program_that_ignores_sigterm_and_its_children(tmp_path: Path) -> None:
    stubborn = Process(
        "stubborn",
        ["sh", "-c", "trap '' TERM; sleep 600 & echo ready; sleep 600; sleep 600"],
        log=tmp_path / "log",
    )
    stubborn.start()
    stubborn.wait_ready(lambda: "ready" in stubborn.last_log_lines())
    members = stubborn.members()
    assert len(members) == 3
    stubborn.stop(seconds=0.2)
    assert alive(members) == []


def test_free_ports_are_distinct_and_never_handed_to_a_client_by_the_kernel() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(ports) < lowest


def test_a_taken_port_is_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, other = free_port(), free_port()
    monkeypatch.setattr("sandbox.process._handed_out", set())
    monkeypatch.setattr("sandbox.process.SystemRandom", lambda: InThisOrder([taken, other]))
    with socket.create_server(("127.0.0.1", taken)):
        assert free_port() == other


class InThisOrder:
    def __init__(self, ports: list[int]) -> None:
        self.ports = ports

    def choice(self, _: object) -> int:
        return self.ports.pop(0)


def test_storefronts_run_side_by_side(tmp_path: Path, varnish_stack: Storefront) -> None:
    with ExitStack() as undo:
        other = undo.enter_context(Storefront(tmp_path))
        assert other.serves()
        assert varnish_stack.serves()
        members = [pid for server in other.servers for pid in server.process.members()]
    assert alive(members) == []
    assert varnish_stack.serves()
