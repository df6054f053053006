"""A new user with a wheel, a shop, Prometheus and Alertmanager: ``python -m tests.system.install.stopwatch``.

It types what the README says into a clean root, edits prometheus.yml, stops the shop's database and waits for
the page. It prints each command with the time since the start. No test: times depend on the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import httpx

from sandbox.process import Process, free_port
from sandbox.servers.mariadb import MariaDB
from sandbox.servers.rabbitmq import RabbitMQ
from sandbox.servers.redis import Redis
from sandbox.shop import install
from tests.system.install.conftest import PROJECT, SECRET, RealShop
from tests.system.install.layered import Root, root

ALERTMANAGER: Final = """\
route: {{receiver: phone, group_by: [alertname]}}
receivers: [{{name: phone, webhook_configs: [{{url: "{url}"}}]}}]
"""
PROMETHEUS: Final = """\
global: {{scrape_interval: 15s, evaluation_interval: 15s}}
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
"""
LIMIT: Final = 900.0


class Watch:
    """Says what happens, and when."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.commands = 0

    def say(self, text: str) -> None:
        seconds = time.monotonic() - self.start
        print(f"{seconds // 60:02.0f}:{seconds % 60:02.0f}  {text}", flush=True)  # noqa: T201 - a transcript

    def type(self, layer: Root, command: str) -> str:
        self.commands += 1
        self.say(f"$ {command}")
        done = layer.run("bash", "-c", command, cwd=Path("/srv"))
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return done.stdout

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"not within {LIMIT:g} s: {what}")
            time.sleep(0.5)
        self.say(what)


def phone(pages: list[str]) -> ThreadingHTTPServer:
    """Return a receiver that notes the alerts that arrive."""

    class Phone(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["content-length"])))
            pages.extend(
                f"{alert['labels']['alertname']}: {alert['annotations']['summary']}"
                for alert in said["alerts"]
                if alert["labels"]["severity"] == "critical"
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Phone)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def a_shop(home: Path, stack: ExitStack) -> RealShop:
    """Start the servers of a shop that has sold something."""
    database = stack.enter_context(MariaDB(home / "db"))
    redis = stack.enter_context(Redis(home / "redis"))
    broker = stack.enter_context(RabbitMQ(home / "mq"))
    database.execute("CREATE DATABASE magento")
    with database.connect("magento") as connection:
        install(connection, version="2.4.8", prefix="m2_").orders.place()
    shop = RealShop(database, broker, redis)
    shop.set_password(SECRET)
    shop.run_cron()
    return shop


def monitoring(home: Path, stack: ExitStack, pages: list[str]) -> tuple[str, Path]:
    """Start the user's Prometheus and Alertmanager, which know no shop yet."""
    receiver = phone(pages)
    stack.callback(receiver.shutdown)
    alertmanager, prometheus = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    (home / "alertmanager.yml").write_text(
        ALERTMANAGER.format(url=f"http://127.0.0.1:{receiver.server_port}/")
    )
    file = home / "prometheus.yml"
    file.write_text(PROMETHEUS.format(alertmanager=alertmanager))
    for name, command in {
        "alertmanager": [
            "prometheus-alertmanager", f"--config.file={home}/alertmanager.yml", f"--storage.path={home}/am",
            f"--web.listen-address={alertmanager}", "--cluster.listen-address=",
        ],
        "prometheus": [
            "prometheus", f"--config.file={file}", f"--storage.tsdb.path={home}/tsdb",
            f"--web.listen-address={prometheus}", "--web.enable-lifecycle",
        ],
    }.items():  # fmt: skip
        process = Process(name, command, log=home / f"{name}.log")
        process.start()
        stack.callback(process.stop)
    return f"http://{prometheus}", file


def asked(url: str, query: str) -> bool:
    """Return whether a query has an answer above 0."""
    try:
        found = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=5).json()["data"]["result"]
    except (httpx.HTTPError, KeyError, ValueError):
        return False
    return bool(found) and float(found[0]["value"][1]) > 0


def trial(home: Path, stack: ExitStack) -> None:
    """Do what a new user does."""
    shop, pages = a_shop(home, stack), []
    prometheus, file = monitoring(home, stack, pages)
    layer = stack.enter_context(root(home / "root", shop.database.socket.parent))
    subprocess.run([PROJECT / "scripts/wheel.sh", layer.tree / "srv/dist"], check=True, capture_output=True)
    env_php = layer.tree / "var/www/html/app/etc/env.php"
    shutil.rmtree(layer.tree / "var/www/html", ignore_errors=True)
    env_php.parent.mkdir(parents=True)
    env_php.write_text(shop.env_php("magento-2.4.8-edited"))
    listen, admin = f"127.0.0.1:{free_port()}", f"mariadb --socket={shop.database.socket} --user=root"

    watch = Watch()
    watch.type(
        layer,
        "python3 -m venv /opt/magento-exporter && /opt/magento-exporter/bin/pip install --quiet"
        " -c dist/constraints.txt dist/*.whl"
        " && ln -s /opt/magento-exporter/bin/magento-exporter /usr/local/bin/",
    )
    # The sandbox's management API has a port of its own; everything else stands in env.php.
    said = watch.type(
        layer,
        f"magento-exporter setup --yes --shop shop.example --listen {listen} --admin '{admin}'"
        f" --set rabbitmq.url={shop.broker.management_url}",
    )
    (serve,) = (line.strip() for line in said.splitlines() if " serve --config " in line)
    watch.say("  no systemd here: setup says what a supervisor has to run as magento-exporter")
    identity = "setpriv --reuid=magento-exporter --regid=magento-exporter --init-groups"
    serving = int(watch.type(layer, f"{identity} {serve} >/dev/null 2>&1 & echo $!"))
    stack.callback(os.kill, serving, signal.SIGTERM)
    watch.type(
        layer,
        "magento-exporter pack --out /etc/prometheus/magento --shop shop.example"
        " --runbook-base https://exporter.example/runbooks/ --grafana-base https://grafana.example",
    )
    rules = home / "rules"
    shutil.copytree(layer.tree / "etc/prometheus/magento/prometheus/rules", rules)
    job = said[said.index("scrape_configs:") :].split("\n\n")[0]
    file.write_text(f"{file.read_text()}rule_files: [{rules}/*.yml]\n{job}\n")
    watch.say("edited: prometheus.yml (the scrape job as setup printed it, and rule_files)")
    watch.type(layer, f"curl --silent --fail --request POST {prometheus}/-/reload")
    watch.until("up is 1 in Prometheus", lambda: asked(prometheus, 'up{job="magento"}'))
    watch.until("the first metrics of the shop", lambda: asked(prometheus, "count(magento_cron_lag_seconds)"))
    watch.until("the rules run", lambda: asked(prometheus, 'ALERTS{alertname="MagentoWatchdog"}'))
    shop.database.pause()
    watch.say("the shop's database no longer answers")
    try:
        watch.until("the page arrives", lambda: bool(pages))
    finally:
        shop.database.resume()
    watch.say(f"  {pages[0]}")
    watch.say(f"{watch.commands} commands, 1 edited file")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="stopwatch-") as name, ExitStack() as stack:
        Path(name).chmod(0o755)
        trial(Path(name), stack)
    return 0


if __name__ == "__main__":
    sys.exit(main())
