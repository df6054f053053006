"""Run the configurations of deploy/interop with the programs that can be had here, on a recorded page.

VictoriaMetrics and vmagent come from Debian trixie, the Agent's check from datadog-checks-base. What cannot
be had is left out, and said so. Prometheus' own promtool reads what is written in its language.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from exporter.pack.addresses import addresses  # noqa: E402
from exporter.pack.material import rules  # noqa: E402
from sandbox.process import free_port  # noqa: E402
from sandbox.suites import LeftOut, unpack  # noqa: E402

FOLDER: Final = ROOT / "deploy" / "interop"
TARGET: Final = "exporter.example:9816"
AGENT: Final = ROOT / "build" / "datadog"
WAIT: Final = 60.0
_NEEDED: Final = (
    *("binary", "cachetools", "jellyfish", "lazy-loader", "mmh3", "prometheus-client", "pydantic", "pytest"),
    *("python-dateutil", "pyyaml", "requests", "requests-toolbelt", "requests-unixsocket", "wrapt"),
)
"""What the Agent's check imports. Its own extras want Kerberos, which a configuration's test does not."""
_AGENT: Final = """
import json, sys
from datadog_checks.base import OpenMetricsBaseCheckV2
from datadog_checks.base.stubs import aggregator
check = OpenMetricsBaseCheckV2("openmetrics", {}, [json.load(sys.stdin)])
check.__NAMESPACE__ = ""
check.run() and sys.exit(check.run())
print(json.dumps(sorted(aggregator.metric_names)))
"""


def page() -> str:
    """Return what an exporter says: the recorded page of every collector."""
    files = sorted((ROOT / "tests/exporter/collectors").glob("*/golden.prom"))
    return "".join(file.read_text(encoding="utf-8") for file in files)


def names(text: str) -> set[str]:
    """Return the names of the series on a page."""
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and line[0] != "#"}


@contextmanager
def exporter() -> Iterator[str]:
    """Serve the recorded page on loopback, and give its address."""
    text = page().encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


def configuration(name: str, target: str = TARGET) -> Any:
    """Return a configuration with the address of an exporter in it."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8").replace(TARGET, target))


def allowed() -> set[str]:
    """Return the list of the metrics that the rules read, as vmagent's configuration has it."""
    (job,) = configuration("vmagent.yml")["scrape_configs"]
    return set(job["metric_relabel_configs"][0]["regex"].split("|"))


def in_prometheus_language(work: Path) -> None:
    """Let promtool read what each program takes in Prometheus' own language."""
    collector = configuration("opentelemetry-collector.yml")["receivers"]["prometheus"]["config"]
    (job,) = configuration("newrelic-prometheus-agent.yml")["config"]["static_targets"]["jobs"]
    static = {"targets": job.pop("targets"), "labels": job.pop("labels")}
    job |= {"metric_relabel_configs": job.pop("extra_metric_relabel_config"), "static_configs": [static]}
    for name, text in {
        "opentelemetry-collector": collector,
        "newrelic-prometheus-agent": {"scrape_configs": [job]},
        "remote-write": configuration("remote-write.yml"),
    }.items():
        file = work / f"{name}.yml"
        file.write_text(yaml.safe_dump(text), encoding="utf-8")
        subprocess.run(["promtool", "check", "config", file], check=True, capture_output=True)
        print(f"{name}: promtool reads it; the program itself is not run here")


def with_victoria_metrics(work: Path) -> None:
    """Let vmagent send the page, and see that what arrives is what the list allows."""
    programs = unpack("trixie", "victoria-metrics") / "usr/bin"
    place = work / "rules.yml"
    place.write_text(addresses("https://x.example/runbooks/", "https://x.example").fill_in(rules()), "utf-8")
    check: list[str | Path] = [
        programs / "vmalert",
        "-dryRun",
        "-rule",
        place,
        "-rule.validateTemplates=true",
    ]
    subprocess.run(check, check=True, capture_output=True)
    ports = {name: free_port() for name in ("store", "agent")}
    store = f"http://127.0.0.1:{ports['store']}"
    with exporter() as target:
        config = work / "vmagent.yml"
        said = configuration("vmagent.yml", target)
        said["global"]["scrape_interval"] = "1s"
        said["scrape_configs"][0]["scrape_timeout"] = "1s"
        config.write_text(yaml.safe_dump(said), encoding="utf-8")
        running: list[list[str | Path]] = [
            [programs / "victoria-metrics", f"-storageDataPath={work}/data",
             f"-httpListenAddr=127.0.0.1:{ports['store']}"],
            [programs / "vmagent", f"-promscrape.config={config}", f"-remoteWrite.tmpDataPath={work}/queue",
             f"-remoteWrite.url={store}/api/v1/write", f"-httpListenAddr=127.0.0.1:{ports['agent']}"],
        ]  # fmt: skip
        processes = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in running]
        try:
            wanted = allowed() & names(page())
            _wait(lambda: wanted <= _stored(store))
            found = {name for name in _stored(store) if name.startswith("magento_")}
        finally:
            for process in processes:
                process.terminate()
                process.wait(WAIT)
    _same("vmagent", found, wanted)
    print(f"vmagent: {len(found)} of {len(names(page()))} names arrive, as listed; vmalert takes the rules")


def _same(program: str, found: set[str], wanted: set[str]) -> None:
    if found != wanted or not wanted:
        raise SystemExit(f"{program}: not as the list says: {sorted(found ^ wanted)}")


def _stored(store: str) -> set[str]:
    try:
        with urlopen(f"{store}/api/v1/label/__name__/values", timeout=5) as answer:  # noqa: S310 - our own
            return set(json.load(answer)["data"])
    except OSError:
        return set()


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition() and time.monotonic() < end:
        time.sleep(0.5)


def with_datadog() -> None:
    """Let the Agent's own check read the page with our configuration."""
    if not (AGENT / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", AGENT], check=True)
        install: list[str | Path] = [
            AGENT / "bin/pip",
            "install",
            "--quiet",
            "datadog-checks-base==38.7.0",
            *_NEEDED,
        ]
        if subprocess.run(install, check=False, capture_output=True).returncode:
            subprocess.run(["rm", "-rf", AGENT], check=True)
            raise LeftOut("datadog-checks-base cannot be installed")
    with exporter() as target:
        (instance,) = configuration("datadog-openmetrics.yml", target)["instances"]
        done = subprocess.run(
            [AGENT / "bin/python", "-c", _AGENT],
            input=json.dumps(instance), capture_output=True, text=True, check=False, timeout=WAIT,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"datadog: {done.stdout}{done.stderr}")
    found = {name.removeprefix("shop.").removesuffix(".count") for name in json.loads(done.stdout)}
    wanted = {name.removesuffix("_total") for name in allowed() & names(page())}
    _same("datadog", found & wanted, wanted)
    print(f"datadog: the Agent's check takes {len(wanted)} metrics from the page, as the list says")


def main() -> int:
    """Check every configuration."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        in_prometheus_language(work)
        checks: list[Callable[[], None]] = [lambda: with_victoria_metrics(work), with_datadog]
        for check in checks:
            try:
                check()
            except LeftOut as error:
                print(f"left out: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
