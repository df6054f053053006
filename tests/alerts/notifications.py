"""The notifications that a real Alertmanager makes of alerts, as Slack and PagerDuty would get them.

`python -m tests.alerts.notifications` writes the golden file anew.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from alerts.catalogue import Catalogue, catalogue
from alerts.lib import promtool
from alerts.lib.alertmanager import SECRETS
from alerts.lib.links import Links
from sandbox.process import wait_until
from sandbox.servers.alertmanager import CONFIGURATION, Alertmanager
from tests.harness.limits import LONG

GOLDEN: Final = Path(__file__).with_name("notifications.md")
SHOP: Final = "acme-de"
LINKS: Final = Links("https://exporter.example/runbooks/", "https://grafana.example", standby="")
LIFETIME: Final = {"since": "Fri 20:14 CET", "lasts": "36m"}
"""What Prometheus knew when it fired; that it knows it, the promtool tests show."""

PLAYED: Final[Mapping[str, Sequence[Mapping[str, str]]]] = {
    "MagentoOrdersStopped": [{"store": "de"}],
    "MagentoBackendDown": [{"source": "database"}],
    "MagentoCarding": [{"store": "us"}],
    "MagentoCronStopped": [{}],
    "MagentoConsumerDead": [
        {"queue": "async.operations.all"},
        {"queue": "export"},
        {"queue": "inventory.reservations.updateSalabilityStatus"},
        {"queue": "product_action_attribute.update"},
    ],
}
"""The alerts whose texts are shown, and the places at which each fires at once."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver got: `slack` or `pagerduty`, and the body."""

    to: str
    body: Mapping[str, Any]


class Receivers:
    """Slack and PagerDuty on loopback. As a context manager it listens inside the block."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                messages.append(Message(self.path.strip("/"), body))
                self.send_response(202 if self.path == "/pagerduty" else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Listen inside the block, at the address given."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{self._server.server_port}"
        finally:
            self._server.shutdown()
            self._server.server_close()

    def of(self, name: str) -> list[Message]:
        """Return the messages about the alert."""
        return [message for message in self.messages if name in json.dumps(message.body)]


def configuration(folder: Path, address: str) -> Path:
    """Write the shipped configuration with Slack and PagerDuty at the address, and shorter waits."""
    settings = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    secrets = folder / "secrets"
    secrets.mkdir()
    for name in set(_secrets(settings)):
        (secrets / name).write_text(f"{address}/slack" if name.startswith("slack") else "key")
    settings["global"]["pagerduty_url"] = f"{address}/pagerduty"
    settings["templates"] = [str(CONFIGURATION.parent / "templates" / "*.tmpl")]
    for route in (settings["route"], *settings["route"]["routes"]):
        route.pop("mute_time_intervals", None)
        route |= {"group_wait": "1s", "group_interval": "1s"}
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(settings).replace(SECRETS, str(secrets)), encoding="utf-8")
    return file


def _secrets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for value in node.values():
            yield from _secrets(value)
    elif isinstance(node, list):
        for value in node:
            yield from _secrets(value)
    elif isinstance(node, str) and node.startswith(SECRETS):
        yield node.removeprefix(f"{SECRETS}/")


def as_prometheus_sends(name: str, places: Mapping[str, str], found: Catalogue) -> dict[str, Any]:
    """Return labels and annotations of the alert at a place, as the promtool tests prove them."""
    alert = next(alert for alert in found.all if alert.name == name)
    document = promtool.unit_tests(alert, "", owners=found.owners, links=LINKS)
    expected = document["tests"][0]["alert_rule_test"][-1]["exp_alerts"][0]
    changed = {alert.cases.entity[label]: value for label, value in places.items()}

    def moved(text: str) -> str:
        for before, after in changed.items():
            text = re.sub(rf"\b{re.escape(before)}\b", after, text)
        text = text.replace(f"shop={promtool.TARGET['shop']}", f"shop={SHOP}")
        return text.replace(promtool.TARGET["instance"].replace(":", "%3A"), f"{name}%3A9816")

    labels = {"alertname": name, **expected["exp_labels"], **places, "shop": SHOP, "instance": f"{name}:9816"}
    annotations = {key: moved(text) for key, text in expected["exp_annotations"].items()}
    return {"labels": labels, "annotations": {**annotations, **LIFETIME}}


def play(folder: Path, found: Catalogue) -> str:
    """Let the alerts fire and end; return all messages in the form of the golden file."""
    receivers = Receivers()
    arguments = ["--web.external-url=https://alertmanager.example"]
    with (
        receivers.listening() as address,
        Alertmanager(
            folder / "server", configuration=configuration(folder, address), arguments=arguments
        ) as server,
    ):
        pages = [_played(name, server, receivers, found) for name in PLAYED]
    return "".join(pages)


def _played(name: str, server: Alertmanager, receivers: Receivers, found: Catalogue) -> str:
    # An alert that is older than the group's wait is sent at once, before the others of its request are in.
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    alerts = [as_prometheus_sends(name, place, found) for place in PLAYED[name]]
    far = (start + timedelta(hours=1)).isoformat()
    both = 2 if alerts[0]["labels"]["severity"] in {"critical", "urgent"} else 1
    page = f"# {name}\n"
    stages = ["fires", "resolved"] if len(alerts) == 1 else ["fires", "half is over", "resolved"]
    for number, stage in enumerate(stages, start=1):
        over = {"fires": 0, "half is over": len(alerts) // 2, "resolved": len(alerts)}[stage]
        end = datetime.now(UTC).replace(microsecond=0)
        body = [
            {**alert, "startsAt": start.isoformat(), "endsAt": end.isoformat() if index < over else far}
            for index, alert in enumerate(alerts)
        ]
        httpx.post(f"{server.url}/api/v2/alerts", json=body, trust_env=False).raise_for_status()
        wait_until(
            lambda wanted=number * both: len(receivers.of(name)) >= wanted,  # type: ignore[misc]
            seconds=LONG,
            what=f"{name}: no message that it {stage}",
        )
        for message in sorted(receivers.of(name)[-both:], key=lambda message: message.to):
            page += f"\n## {name} {stage}: {message.to}\n\n{_shown(message, start, end)}"
    return page + "\n"


def _shown(message: Message, start: datetime, end: datetime) -> str:
    text = _slack(message.body) if message.to == "slack" else _pagerduty(message.body)
    hour, half = timedelta(hours=1), timedelta(minutes=30)
    for moment, word in ((start - hour, "START-1H"), (end + half, "END+30M")):
        text = text.replace(str(round(moment.timestamp() * 1000)), word)
    return text


def _slack(body: Mapping[str, Any]) -> str:
    attachment = body["attachments"][0]
    buttons = "".join(f"[{action['text']}]({action['url']})\n" for action in attachment["actions"])
    return (
        f"channel {body['channel']}, colour {attachment['color']}\n\n"
        f"**{attachment['title']}**\n{attachment['title_link']}\n\n{attachment['text']}\n\n{buttons}"
    )


def _pagerduty(body: Mapping[str, Any]) -> str:
    payload = body.get("payload", {})
    details = "".join(
        f"{key}: {text}\n" if text else "" for key, text in payload.get("custom_details", {}).items()
    )
    links = "".join(f"[{link['text']}]({link['href']})\n" for link in body.get("links", []))
    return (
        f"{body['event_action']}, severity {payload.get('severity', '-')}\n\n"
        f"**{payload.get('summary', '-')}**\n\n{details}\n{links}"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        GOLDEN.write_text(play(Path(temporary), catalogue()), encoding="utf-8")
