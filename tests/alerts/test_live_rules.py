"""All rules in a real Prometheus that scrapes two shops with every metric and every label there is.

A join that is not one-to-one when a second store, queue or shop appears is an error only at evaluation.
"""

import http.server
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from alerts.__main__ import main
from exporter.collectors import all_collectors
from exporter.core.metrics import Kind
from exporter.core.self_metrics import SELF_METRICS
from sandbox.process import LOOPBACK, wait_until
from sandbox.servers.prometheus import Prometheus
from tests.harness.limits import LONG

VALUES = {
    "stage": ["cart", "shipping_address", "shipping_method", "payment_method", "order"],
    "window": ["30m", "2h", "6h", "1d"],
    "state": ["new", "working", "invalid", "pending_payment"],
    "status": ["error", "success", "missed", "failed"],
    "result": ["hit", "miss"],
    "mode": ["schedule", "save"],
    "role": ["session", "cache"],
}


class Shop(http.server.BaseHTTPRequestHandler):
    """Answers every metric with every combination of two values a label; each scrape counts further."""

    scrapes = itertools.count(1)

    def do_GET(self) -> None:
        text = "".join(lines(next(self.scrapes))).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def lines(value: int) -> Iterator[str]:
    metrics = {m.name: m for collector in all_collectors() for m in collector.metrics}
    metrics |= {metric.name: metric for metric in SELF_METRICS}
    for metric in metrics.values():
        suffixes = ("_sum", "_count") if metric.kind is Kind.SUMMARY else ("",)
        for labels in itertools.product(*(VALUES.get(name, ["a", "b"]) for name in metric.labels)):
            inside = ",".join(f'{n}="{v}"' for n, v in zip(metric.labels, labels, strict=True))
            yield from (f"{metric.name}{suffix}{{{inside}}} {value}\n" for suffix in suffixes)


@contextmanager
def shops(number: int) -> Iterator[list[str]]:
    servers = [http.server.ThreadingHTTPServer((LOOPBACK, 0), Shop) for _ in range(number)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield [f"{LOOPBACK}:{server.server_port}" for server in servers]
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def test_no_rule_fails_when_there_are_two_of_everything(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    assert main(["--demo", "--scale", "60", "--out", str(rules)]) == 0
    with (
        shops(2) as addresses,
        Prometheus(
            tmp_path / "prometheus", scrape_seconds=1, rules=rules, targets={"magento": addresses}
        ) as server,
    ):

        def state() -> list[dict[str, Any]]:
            answer = httpx.get(f"{server.url}/api/v1/rules", timeout=LONG, trust_env=False).json()
            return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

        def up() -> int:
            query = {"query": 'count(up{job="magento"} == 1) or vector(0)'}
            answer = httpx.get(
                f"{server.url}/api/v1/query", params=query, timeout=LONG, trust_env=False
            ).json()
            return int(answer["data"]["result"][0]["value"][1])

        wait_until(lambda: up() == 2, seconds=LONG, what="Prometheus does not scrape both shops")
        seen = {rule["name"]: rule["lastEvaluation"] for rule in state()}

        def evaluated_again() -> bool:
            return all(rule["lastEvaluation"] > seen[rule["name"]] for rule in state())

        for _ in range(5):  # windows need a few samples before the joins have anything to join
            wait_until(evaluated_again, seconds=LONG, what="rules are not evaluated")
            seen = {rule["name"]: rule["lastEvaluation"] for rule in state()}
        broken = {rule["name"]: rule.get("lastError") for rule in state() if rule["health"] != "ok"}
    assert broken == {}
