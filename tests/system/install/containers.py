"""Both images with podman on the sandbox's servers: ``python -m tests.system.install.containers PODMAN …``.

The arguments are podman's command line up to its subcommand; scripts/check_containers.sh builds
the images first. The exporter runs as docker-compose.yml runs it (read-only, no capabilities, its
own settings file), but in the machine's network, where the sandbox's servers have ports of their own.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from sandbox.process import free_port
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis

PROJECT = Path(__file__).parents[3]
# Podman leaves health checks to systemd, which a container host may lack: they are run by hand below.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--no-healthcheck")
TEMPORARY, STATE = "/tmp", "/var/lib/magento-exporter"  # noqa: S108 - where the exporter may write
COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
SECRETS = {
    name: f"planted-{secrets.token_hex(8)}"
    for name in ("DATABASE_PASSWORD", "OBSERVER_PASSWORD", "RABBITMQ_PASSWORD")
}


@dataclass(frozen=True)
class Podman:
    command: Sequence[str]

    def __call__(self, *arguments: str | Path, seconds: float = 120, check: bool = True) -> str:
        """Run a subcommand; returns standard output and error as one text."""
        outcome = subprocess.run(
            [*self.command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and outcome.returncode:
            raise SystemExit(f"podman {arguments[0]} ended with {outcome.returncode}:\n{outcome.stdout}")
        return outcome.stdout

    def logs(self, name: str) -> str:
        return self("logs", name)

    def stop(self, name: str, seconds: int = 15) -> int:
        """Stop as compose does, with SIGTERM, and return the exit code (137 if it had to be killed)."""
        self("stop", "--time", str(seconds), name)
        return int(self("inspect", "--format", "{{.State.ExitCode}}", name))


def main(command: Sequence[str]) -> int:
    podman = Podman(command)
    with tempfile.TemporaryDirectory(prefix="containers-") as name, ExitStack() as stack:
        home = Path(name)
        home.chmod(0o755)
        database = stack.enter_context(MariaDB(home / "mariadb"))
        redis = stack.enter_context(Redis(home / "redis"))
        broker = stack.enter_context(RabbitMQ(home / "rabbitmq"))
        prepare(database, broker)
        podman("network", "create", "check")
        run_edge(podman)
        run_install(podman, database, home / "state")
        check_image(podman)
        check_exporter(podman, database, redis, broker)
        check_shop(podman, home / "state", database, redis, broker)
        # The networks of this process end with it: podman would look for those of what it still lists.
        podman("rm", "--all", "--force", "--time", "0")
    say("containers: all is well")
    return 0


def prepare(database: MariaDB, broker: RabbitMQ) -> None:
    """Do what the database's and the broker's official images do at their first start."""
    password = SECRETS["DATABASE_PASSWORD"]
    database.execute("CREATE DATABASE magento")
    database.execute("CREATE USER 'magento'@'%%' IDENTIFIED BY %s", [password])
    database.execute("GRANT ALL ON magento.* TO 'magento'@'%'")
    answer = httpx.put(
        f"{broker.management_url}/api/users/{broker.user}",
        json={"password": SECRETS["RABBITMQ_PASSWORD"], "tags": "administrator"},
        auth=(broker.user, broker.password),
    )
    answer.raise_for_status()


def run_edge(podman: Podman) -> None:
    """Start origin and varnish as compose does, in a network with names, and fetch a page through both."""
    origin, varnish = COMPOSE["origin"], COMPOSE["varnish"]
    common = ("--detach", "--network", "check", *LIMITS)
    podman(
        "run", "--name", "origin", *common, "--volume", "state:/state", "magento-sandbox", *origin["command"]
    )
    waiting(lambda: healthy(podman, "origin", origin), podman, "origin")
    podman(
        "run", "--name", "varnish", *common, "--user", varnish["user"],
        "--volume", f"{PROJECT}/deploy/varnish:/etc/varnish:ro",
        "--volume", "varnish:/var/lib/varnish", "magento-sandbox", *varnish["command"],
    )  # fmt: skip
    waiting(lambda: healthy(podman, "varnish", varnish), podman, "varnish")
    program = (
        "import urllib.request as r; print(r.urlopen('http://varnish/health_check.php', timeout=5).status)"
    )
    waiting(
        lambda: "200" in podman("exec", "origin", "python3", "-c", program, check=False), podman, "varnish"
    )
    say("origin and varnish: a page through both")


def run_install(podman: Podman, database: MariaDB, state: Path) -> None:
    """Run install.sh twice; the second time it must change nothing."""
    state.mkdir()
    environment = [word for name, value in SECRETS.items() for word in ("--env", f"{name}={value}")]
    for _ in range(2):
        output = podman(
            "run", "--rm", "--network", "none", *LIMITS, *environment, "--env", "ORDER_RATE=0.2",
            "--volume", f"{state}:/state", "--volume", f"{database.socket}:/run/mysqld/mysqld.sock",
            "magento-sandbox", *COMPOSE["install"]["command"], seconds=300,
        )  # fmt: skip
        assert_no_secret("install", output)
    ((orders,),) = database.execute("SELECT COUNT(*) FROM magento.sales_order")
    ((users,),) = database.execute("SELECT COUNT(*) FROM mysql.user WHERE User = 'magento_exporter'")
    assert (state / "installed").exists()
    assert orders > 100, orders
    assert users == 1
    say(f"install.sh: {orders} orders of history, the exporter's user; a second run changed nothing")


def check_image(podman: Podman) -> None:
    """Look at what the image says and holds."""
    (image,) = json.loads(podman("image", "inspect", "magento-observability"))
    config = image["Config"]
    assert config["User"] == "9816:9816", config["User"]
    assert config["Entrypoint"] == ["magento-exporter"]
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert image["Healthcheck"]["Test"][0] == "CMD"
    listing = podman(
        "run", "--rm", "--network", "none", *LIMITS, "--entrypoint", "/opt/exporter/bin/python",
        "magento-observability", "-c",
        "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))",
    )  # fmt: skip
    assert "magento-observability" in listing
    for stranger in ("grafanalib", "hatchling", "pytest"):
        assert stranger not in listing, listing
    assert podman("run", "--rm", *LIMITS, "magento-observability", "--version").startswith(
        "magento-exporter "
    )
    say(f"image: {image['Size'] / 1e6:.0f} MB with the stand-in base")


def check_exporter(podman: Podman, database: MariaDB, redis: Redis, broker: RabbitMQ) -> None:
    """Serve, scrape, stop; then once more on the same volume."""
    address = f"127.0.0.1:{free_port()}"
    ports = {
        "DATABASE__PORT": database.port,
        "RABBITMQ__URL": broker.management_url,
        "REDIS__CACHE__PORT": redis.port,
        "REDIS__PAGE_CACHE__PORT": redis.port,
        "REDIS__SESSION__PORT": redis.port,
        "DATABASE__PASSWORD": SECRETS["OBSERVER_PASSWORD"],
        "RABBITMQ__PASSWORD": SECRETS["RABBITMQ_PASSWORD"],
        "WEB__LISTEN": address,
    }
    service = COMPOSE["exporter"]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    command = [
        "run", "--detach", "--network", "host", *LIMITS, "--read-only", "--read-only-tmpfs=false",
        "--tmpfs", *service["tmpfs"], "--cap-drop", "all", "--security-opt", "no-new-privileges",
        *(f"--add-host={name}:127.0.0.1" for name in ("database", "redis", "rabbitmq")),
        *(word for name, value in ports.items() for word in ("--env", f"MAGENTO_EXPORTER_{name}={value}")),
        "--volume", f"{PROJECT}/deploy/compose/exporter.yml:/etc/magento-exporter/exporter.yml:ro",
        "--volume", "varnish:/var/lib/varnish:ro", "--volume", "exporter-state:/var/lib/magento-exporter",
    ]  # fmt: skip
    for start in ("first", "second"):
        name = f"exporter-{start}"
        podman(*command, "--name", name, "magento-observability", *service["command"])
        with describing(podman, name):
            waiting(lambda: answers(f"http://{address}/-/healthy"), podman, name)
            page = scrape(address)
            assert_all_up(page)
            assert_confined(podman, name, address)
            assert_no_secret("page", page)
            assert_no_secret("landing page", httpx.get(f"http://{address}/").text)
            assert podman.stop(name) == 0
            logs = podman.logs(name)
            assert_no_secret("logs", logs)
            assert "Traceback" not in logs
    volume = podman("volume", "inspect", "--format", "{{.Mountpoint}}", "exporter-state").strip()
    kept = Path(volume) / "state"
    assert kept.stat().st_size > 0
    assert kept.stat().st_mode & 0o077 == 0, oct(kept.stat().st_mode)
    say("exporter: read-only, no capabilities, uid 9816; every source up; SIGTERM ends it with 0")


def check_shop(podman: Podman, state: Path, database: MariaDB, redis: Redis, broker: RabbitMQ) -> None:
    """Let the simulated shop live in its image until it has sold something, on the sandbox's servers."""
    file = state / "endpoints.json"
    endpoints = json.loads(file.read_text())
    assert endpoints["database"]["password"] == SECRETS["DATABASE_PASSWORD"]
    endpoints["database"] |= {"host": database.host, "port": database.port}
    endpoints["redis"] |= {"host": redis.host, "port": redis.port}
    endpoints["rabbitmq"] |= {
        "host": broker.host, "amqp_port": broker.port, "management_url": broker.management_url,
    }  # fmt: skip
    file.write_text(json.dumps(endpoints))
    ((before,),) = database.execute("SELECT MAX(entity_id) FROM magento.sales_order")
    podman(
        "run", "--detach", "--name", "shop", "--network", "host", *LIMITS, "--env", "ORDER_RATE=60",
        "--volume", f"{state}:/state", "magento-sandbox",
        *(word.replace("$$", "$") for word in COMPOSE["shop"]["command"]),
    )  # fmt: skip
    newer = "SELECT COUNT(*) FROM magento.sales_order WHERE entity_id > %s"
    waiting(lambda: database.execute(newer, [before])[0][0] > 0, podman, "shop", seconds=120)
    assert podman.stop("shop") == 0
    assert_no_secret("shop", podman.logs("shop"))
    say("shop: sold something; SIGTERM ends it with 0")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a program that writes to a terminal


def scrape(address: str) -> str:
    """Return the page once collectors that answer in the background have done so."""
    page = httpx.get(f"http://{address}/metrics", timeout=20).text
    for _ in range(10):
        if "magento_collector_success" in page and not failed(page):
            break
        time.sleep(1)
        page = httpx.get(f"http://{address}/metrics", timeout=20).text
    return page


def failed(page: str) -> list[str]:
    return [
        line
        for line in page.splitlines()
        if line.startswith(("magento_source_up{", "magento_collector_success{")) and not line.endswith(" 1.0")
    ]


def assert_all_up(page: str) -> None:
    assert failed(page) == [], failed(page)
    for source in ("database", "redis", "rabbitmq", "varnish"):
        assert f'magento_source_up{{source="{source}"}} 1.0' in page, source


def assert_confined(podman: Podman, name: str, address: str) -> None:
    """The process is nobody in particular, may do nothing in particular, and writes in two places only."""
    status = dict(
        line.split(":\t", 1)
        for line in podman("exec", name, "cat", "/proc/1/status").splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["9816"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    places = ("/", "/etc", "/opt/exporter", "/usr", "/var", TEMPORARY, STATE)
    script = f"for d in {' '.join(places)}; do touch $d/.x 2>/dev/null && rm $d/.x && echo $d; done; true"
    assert podman("exec", name, "sh", "-c", script).split() == [TEMPORARY, STATE]
    (image,) = json.loads(podman("image", "inspect", "magento-observability"))
    check = [word.replace("127.0.0.1:9816", address) for word in image["Healthcheck"]["Test"][1:]]
    podman("exec", name, *check)


def healthy(podman: Podman, name: str, service: dict[str, dict[str, list[str]]]) -> bool:
    """Run the health check that compose would run."""
    outcome = subprocess.run(
        [*podman.command, "exec", name, *service["healthcheck"]["test"][1:]],
        capture_output=True,
        timeout=60,
        check=False,
    )
    return outcome.returncode == 0


def answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=5).status_code == 200
    return False


def waiting(condition: Callable[[], bool], podman: Podman, name: str, seconds: float = 60) -> None:
    """Poll until the condition holds; show the container's words if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{name}: not ready after {seconds:g} s:\n{podman.logs(name)}")
        time.sleep(0.2)


@contextmanager
def describing(podman: Podman, name: str) -> Iterator[None]:
    """Print a container's words if something about it is wrong."""
    try:
        yield
    except AssertionError:
        say(podman.logs(name))
        raise


def assert_no_secret(place: str, text: str) -> None:
    found = [name for name, value in SECRETS.items() if value in text]
    assert found == [], f"{place} shows {found}"


if __name__ == "__main__":
    os.environ.pop("DOCKER_HOST", None)
    sys.exit(main(sys.argv[1:]))
