"""The webhook refuses what is forged, and a runbook's page shows what was seen."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.catalogue import catalogue
from exporter.app import _commands
from exporter.core.memory import VolatileStore
from exporter.core.panels import panel_id
from exporter.core.runner import Runner
from exporter.errors import StateUnavailable
from exporter.evidence.bundles import Bundle, Bundles, when
from exporter.evidence.capture import Sources
from exporter.evidence.declared import declared
from exporter.evidence.events import Event, Events
from exporter.evidence.model import Finding
from exporter.evidence.service import EvidenceService
from exporter.settings import validate
from exporter.sources.monitoring import Series
from exporter.web.alerts import LARGEST, MOST
from exporter.web.app_state import AppState
from exporter.web.application import create_application
from exporter.web.commands import Commands
from exporter.web.labels import OF_ALERTS

TOKEN = "t0ken"
MARK = '<script>alert("x")</script>'


@asynccontextmanager
async def _nothing(_app: FastAPI) -> Any:
    yield


class Served:
    """The application with evidence, asked in process."""

    def __init__(
        self, pool: ThreadPoolExecutor, *, token: bool = True, prometheus: Server | None = None
    ) -> None:
        runner = Runner([], context=None, store=VolatileStore(), executors={})  # type: ignore[arg-type]
        sources = Sources(runner, pool, prometheus, setting=lambda _: "0")
        self.service = EvidenceService(declared(), sources, Bundles(VolatileStore()))
        self.application = create_application(_nothing)
        self.application.state.exporter = AppState(
            runner, {}, 1.0, 0.5, evidence=self.service, evidence_token=TOKEN.encode if token else None
        )

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.application)
            async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())

    def send(self, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask(
            "POST", "/api/alerts", content=content, headers={"authorization": f"Bearer {TOKEN}", **headers}
        )


@pytest.fixture
def served() -> Iterator[Served]:
    with ThreadPoolExecutor(1) as pool:
        yield Served(pool)


def alert(**changes: Any) -> dict[str, Any]:
    labels = {"alertname": "MagentoCronStopped", "job": "magento"} | changes.pop("labels", {})
    return {
        "status": "firing",
        "labels": labels,
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "0123456789abcdef",
        **changes,
    }


def notification(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "receiver": "evidence", "alerts": list(alerts), **changes}


def days(number: float) -> str:
    return (datetime.now(UTC) + timedelta(days=number)).isoformat()


def test_a_notification_is_taken(served: Served) -> None:
    answer = served.send(notification(alert()))
    assert (answer.status_code, answer.text) == (200, "ok\n")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (notification(alert(labels={"alertname": "../../etc/passwd"})), 400, "alertname: no such alert"),
        (notification(alert(labels={"alertname": "MagentoNoSuchAlert"})), 400, "alertname: no such alert"),
        (notification(alert(labels={"alertname": "README"})), 400, "alertname: no such alert"),
        (notification(alert(startsAt="0001-01-01T00:00:00Z")), 400, "startsAt: too long ago"),
        (
            notification(alert(startsAt="2100-01-01T00:00:00Z")),
            400,
            "startsAt: too long ago, or in the future",
        ),
        (notification(alert(startsAt="0001-01-01T00:00:00+14:00")), 400, "startsAt: too long ago"),
        (notification(alert(startsAt="9999-12-31T23:59:59-14:00")), 400, "startsAt: too long ago"),
        (notification(alert(startsAt=days(-31))), 400, "startsAt: too long ago"),
        (notification(alert(startsAt="yesterday")), 400, "alerts.0.startsAt: not a notification"),
        (notification(alert(fingerprint="../x")), 400, "alerts.0.fingerprint: not a notification"),
        (notification(alert(labels={"n": 1})), 400, "alerts.0.labels.n: not a notification"),
        (notification(*[alert()] * (MOST + 1)), 400, "alerts: not a notification"),
        (notification(alert(), version="5"), 400, "version: not a notification"),
        (notification(alert(labels={"store": "<b>x</b>"})), 400, "labels: 'store' has markup"),
        (notification(alert(labels={"store": "a\nb"})), 400, "labels: 'store' has markup"),
        (notification(alert(labels={"store": "x" * 10_000})), 400, "labels: 'store' has markup, or is too"),
        (b"", 400, "body: not a notification"),
        (b"[" * 100_000, 400, "body: not a notification"),
        (b"\xff\xfe", 400, "body: not a notification"),
        (b"x" * (LARGEST + 1), 413, "larger than"),
    ],
)
def test_what_is_forged_gets_one_clear_line(served: Served, body: Any, status: int, word: str) -> None:
    answer = served.send(body)
    assert answer.status_code == status
    assert answer.text.startswith(word)
    assert answer.text.count("\n") == 1
    assert served.service.bundles.all() == []


def test_only_the_labels_of_the_packs_alerts_are_kept(served: Served) -> None:
    labels = {"shop": "main", "store": "jane@private.invalid", "customer": "jane", "queue": "with blanks"}
    assert served.send(notification(alert(labels=labels))).status_code == 200
    [notice] = served.service._waiting.values()
    assert notice.labels == {"job": "magento", "shop": "main"}


def test_every_label_of_the_packs_alerts_is_known() -> None:
    routing = {"job", "instance", "shop", "severity", "team", "service", "category"}
    assert {label for alert in catalogue().all for label in alert.series_labels} | routing == OF_ALERTS


def test_nothing_is_unpacked(served: Served) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    assert served.send(bomb, **{"content-encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize(
    "authorization", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer t\xf6ken"]
)
def test_only_the_token_opens_it(served: Served, authorization: str) -> None:
    headers = {"authorization": authorization.encode("latin-1")}
    answer = served.ask("POST", "/api/alerts", json=notification(alert()), headers=headers)
    assert (answer.status_code, answer.text) == (401, "unauthorized\n")


def test_without_a_token_file_there_is_no_webhook() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert Served(pool, token=False).send(notification(alert())).status_code == 404


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "version",
                            "alerts",
                            "labels",
                            "status",
                            "startsAt",
                            "endsAt",
                            "fingerprint",
                            "alertname",
                        ]
                    ),
                    inner,
                    max_size=5,
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_anything_else_is_refused(served: Served, body: bytes) -> None:
    assert served.send(body).status_code in (200, 400)


def kept(served: Served, **labels: str) -> Bundle:
    now = time.time()
    findings = {
        "silent": Finding("silent", 930.0),
        "enabled": Finding("enabled", 1.0),
        "longest": Finding("longest", 0.0),
        "database": Finding("database", 0.0),
        "pending": Finding("pending", None, f"{MARK} is not known"),
    }
    bundle = Bundle("MagentoCronStopped", labels, "0123456789abcdef", now - 120, now - 115, findings)
    served.service.bundles.keep(bundle, now)
    return bundle


def test_the_likeliest_cause_has_its_commands_at_hand(served: Served) -> None:
    bundle = kept(served, job="magento", shop="main")
    text = served.ask("GET", f"/runbooks/MagentoCronStopped?at={bundle.id}").text
    card = text[text.index('<p class="likeliest">') : text.index("</section>")]
    assert "php bin/magento cron:run</code>" in card
    assert card.index("<summary>Its commands</summary>") < card.index(
        '<figure class="command changes-state">'
    )


def test_the_page_shows_then_and_now(served: Served) -> None:
    bundle = kept(served, job="magento")
    text = served.ask("GET", f"/runbooks/MagentoCronStopped?at={bundle.id}").text
    begins = text.index('<section class="evidence">')
    seen = text[begins : text.index("</section>", begins)]
    assert "looked at 5 s later" in seen
    assert 'data-title="then">15 m 30 s</td><td data-title="now">not known: the collector is off' in seen
    assert '<li class="supported first" data-hypothesis="cron was switched off for a deploy' in seen
    assert "<small>when it fired: against</small>" in seen
    assert "cron is enabled in env.php: <b>yes → no</b>" in seen
    assert seen.index("cron was switched off") < seen.index("the crontab is gone"), (
        "the supported one is first"
    )
    assert '<a href="#cron-is-disabled">' in seen
    assert MARK not in text


def test_without_a_bundle_the_page_shows_what_is_true_now(served: Served) -> None:
    text = served.ask("GET", "/runbooks/MagentoCronStopped").text
    assert "Nothing was captured when this alert fired" in text
    assert 'data-title="then">not looked at</td><td data-title="now">no</td>' in text


def hrefs(served: Served, path: str) -> dict[str, str]:
    text = served.ask("GET", path).text
    act = text[text.index('<nav class="act">') : text.index("</nav>", text.index('<nav class="act">'))]
    return {
        name: unescape(href) for href, name in re.findall(r'<a class="button" href="([^"]+)">(\w+)</a>', act)
    }


def test_three_buttons_lead_to_the_alerts_panel_a_silence_and_the_next_person(served: Served) -> None:
    state = served.application.state
    state.exporter = replace(state.exporter, grafana="https://g.example/", alertmanager="https://a.example")
    bundle = kept(served, job="magento", shop="main", severity="urgent")
    found = hrefs(served, f"/runbooks/MagentoCronStopped?at={bundle.id}")
    panel, silence = urlsplit(found["Panel"]), unquote(found["Silence"])
    assert (panel.netloc, panel.path) == ("g.example", "/d/magento-cron")
    assert parse_qs(panel.query) == {
        "var-job": ["magento"],
        "var-shop": ["main"],
        "viewPanel": [str(panel_id("magento-cron", "last_execution"))],
        "from": [f"{(bundle.started_at - 3600) * 1000:.0f}"],
        "to": ["now"],
    }
    assert silence == (
        'https://a.example/#/silences/new?filter={alertname="MagentoCronStopped",job="magento",'
        'shop="main",severity="urgent"}'
    )
    assert found["Escalate"] == "#escalate"


def test_a_button_without_an_address_is_left_out(served: Served) -> None:
    assert hrefs(served, "/runbooks/MagentoCronStopped") == {"Escalate": "#escalate"}


def test_a_bundle_of_another_alert_is_not_shown(served: Served) -> None:
    bundle = kept(served)
    text = served.ask("GET", f"/runbooks/MagentoCronLagging?at={bundle.id}").text
    assert "Nothing was captured" in text


def test_no_page_is_empty(served: Served) -> None:
    text = served.ask("GET", "/runbooks/MagentoSeriesGrowth").text
    rows = served.service.declared.get("MagentoSeriesGrowth")
    assert rows is None
    assert "more, which only a person can check" in text


def test_incidents_as_a_list_and_as_markdown(served: Served) -> None:
    assert "No alert has been sent here yet" in served.ask("GET", "/incidents").text
    bundle = kept(served, job="magento")
    text = served.ask("GET", "/incidents").text
    assert f'href="runbooks/MagentoCronStopped?at={bundle.id}&amp;job=magento"' in text
    assert "the crontab is gone (new server, deploy, restored backup)" in text
    markdown = served.ask("GET", f"/incidents/{bundle.id}.md")
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert "- supported: the crontab is gone" in markdown.text
    assert "| since any job was started | 15 m 30 s |" in markdown.text


def test_a_full_disk_is_said_and_the_pages_go_on(served: Served) -> None:
    class Full(VolatileStore):
        def commit(self, _changes: Any) -> None:
            raise StateUnavailable("state file: database or disk is full")

    served.service.bundles._store = Full()
    bundle = kept(served, job="magento")
    served.service.bundles.write([])
    assert (
        "Not kept over a restart: state file: database or disk is full"
        in served.ask("GET", "/incidents").text
    )
    assert "looked at 5 s later" in served.ask("GET", f"/runbooks/MagentoCronStopped?at={bundle.id}").text


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    labels=st.dictionaries(
        st.sampled_from(["store", "queue", "shop", "x", "alertname"]), st.text(max_size=40)
    ),
    starts=st.datetimes(timezones=st.just(UTC)),
)
def test_whatever_stands_in_an_alert_only_plain_labels_of_the_pack_are_kept(
    served: Served, labels: dict[str, str], starts: datetime
) -> None:
    labels.setdefault("alertname", "MagentoCronStopped")
    served.service._waiting.clear()
    sent = alert(labels=labels, startsAt=starts.isoformat())
    sent["startsAt"] = sent["startsAt"] if starts.year % 2 else datetime.now(UTC).isoformat()
    answer = served.send(notification(sent))
    assert (answer.status_code, answer.text.count("\n")) in ((200, 1), (400, 1))
    for notice in served.service._waiting.values():
        assert notice.labels.keys() <= OF_ALERTS
        assert all(
            re.fullmatch(r"[A-Za-z0-9_/][A-Za-z0-9_.:/+-]*", value) for value in notice.labels.values()
        )


@pytest.mark.parametrize("name", ["x", "..%2f..%2fetc", "0000000000-0123456789abcdef"])
def test_no_such_incident(served: Served, name: str) -> None:
    assert served.ask("GET", f"/incidents/{name}.md").status_code == 404


class Server:
    """A Prometheus that knows what a shop lost, and one series of each query."""

    def series(self, query: str, _at: float) -> list[Series]:
        if "revenue_missing" in query:
            return [Series({"currency": "EUR"}, 1240.4)]
        return [Series({"shop": "main", "what": MARK}, 36.0)]

    def value(self, query: str, at: float) -> float | None:
        return self.series(query, at)[0].value


def test_the_first_screen_says_what_where_since_when_how_bad_and_what_to_do() -> None:
    with ThreadPoolExecutor(1) as pool:
        served = Served(pool, prometheus=Server())
        bundle = kept(served, job="magento", shop="main", store="de")
        text = served.ask("GET", f"/runbooks/MagentoCronStopped?at={bundle.id}").text
    screen = text[text.index('<section class="alarm urgent">') : text.index("</section>")]
    for part in (
        "shop <b>main</b> · store <b>de</b>",
        '<p class="summary">',
        f"<dt>Since</dt><dd>{when(bundle.started_at)[11:]}<small>{when(bundle.started_at)[:10]}, for 2 m",
        "<dt>Cost so far</dt><dd>about 1,240 EUR<small>36 orders missing</small></dd>",
        '<p class="first"><b>First</b> ',
        '<p class="likeliest"><b>Likeliest</b> cron was switched off for a deploy',
        '<a href="#cron-is-disabled">',
        '<a class="button" href="#escalate">Escalate</a>',
    ):
        assert part in screen
    real = text[text.index('<div class="real">') :]
    assert real.index("<b>Is it real?</b>") < real.index(
        "<span>now</span> <b>36</b> <span>when it fired</span> <b>36</b>"
    )
    assert MARK not in text


def test_without_prometheus_the_page_says_what_it_does_not_know(served: Served) -> None:
    text = served.ask("GET", f"/runbooks/MagentoCronStopped?at={kept(served, job='magento').id}").text
    assert "<dt>Cost so far</dt><dd>not known<small>prometheus.url is not configured</small></dd>" in text
    assert '<p class="answer"><span>now</span> prometheus.url is not configured</p>' in text


@pytest.mark.parametrize(
    ("prefix", "first"),
    [
        ("kubectl exec -n shop deploy/magento -- sh -c", "kubectl exec -n shop deploy/magento -- sh -c '"),
        ("magento-cloud ssh -e production", "magento-cloud ssh -e production '"),
    ],
)
def test_commands_fit_the_readers_world(served: Served, prefix: str, first: str) -> None:
    state = served.application.state
    commands = Commands({"magento": prefix}, {"MAGENTO": "/app", "PREFIX": ""})
    state.exporter = replace(state.exporter, commands=commands)
    text = served.ask("GET", "/runbooks/MagentoPaymentMethodDead?store=de").text
    [block] = re.findall(r"<code>([^<]*(?:<mark>|</mark>|[^<])*?METHOD=code.*?)</code>", text, re.DOTALL)
    command = unescape(re.sub("<[^>]+>", "", block))
    assert command.startswith(first)
    assert 'cd "/app" && php bin/magento config:show' in command
    ran = subprocess.run(["sh", "-nc", command.replace(prefix, "sh -c")], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Set in your shell: MAGENTO" not in text


def test_the_commands_know_what_the_settings_and_the_alert_know(served: Served) -> None:
    sentinels = {"sentinel": {"servers": ["a:26379", "b:26379"], "master": "shop"}}
    redis = {"session": sentinels, "cache": sentinels, "page_cache": {"host": "c"}}
    settings = validate({"redis": redis, "links": {"storefront": "https://shop.example/"}})
    known = {"SENTINELS": "a:26379 b:26379", "STOREFRONT": "https://shop.example"}
    assert _commands(settings).variables == known
    page = served.ask("GET", "/runbooks/MagentoScrapeSlow?instance=other.example:9816").text
    assert "<mark>http://other.example:9816</mark>/" in page


def test_a_variable_that_is_not_known_is_set_here_and_used_there() -> None:
    body = '<figure class="command read-only"><code>mysql -e \'SELECT "<var>$STORE</var>"\'</code></figure>'
    fitted = Commands({"mysql": "sh -c"}).fitted(body)
    command = unescape(re.sub("<[^>]+>", "", fitted)).replace("mysql -e", "echo")
    ran = subprocess.run(["sh", "-c", f"STORE=de; {command}"], capture_output=True, text=True, check=True)
    assert ran.stdout == 'SELECT "de"\n'


def test_what_fires_comes_first_the_most_urgent_of_it_at_the_top(served: Served) -> None:
    rows = (("critical", 300, 0), ("warning", 60, 0), ("urgent", 200, 0), ("critical", 90, 80))
    for severity, began, ended in rows:
        bundle = kept(served, severity=severity)
        del served.service.bundles._known[bundle.id]
        now = time.time()
        ends = now - ended if ended else 0.0
        served.service.bundles.keep(replace(bundle, started_at=now - began, ended_at=ends), now)
    text = served.ask("GET", "/incidents").text
    assert re.findall(r'<li class="(\w+)">|<h2>([^<]+)</h2>', text) == [
        ("", "Fires now"), ("critical", ""), ("urgent", ""), ("warning", ""),
        ("", "Before"), ("critical", ""),
    ]  # fmt: skip


def test_the_timeline_has_deploys_beside_alerts(served: Served) -> None:
    bundle = kept(served, job="magento", severity="urgent")
    events = Events(VolatileStore(), served.application.state.exporter.runner)
    events._keep(
        [Event("deploy", "v2 <b>", bundle.started_at - 60), Event("flush", "cache", 1.0)], time.time()
    )
    served.application.state.exporter = replace(served.application.state.exporter, events=events)
    text = served.ask("GET", "/incidents").text
    assert text.index("MagentoCronStopped</a>") < text.index('<i class="event">Deploy</i> v2 &lt;b&gt;')
    markdown = served.ask("GET", f"/incidents/{bundle.id}.md").text
    assert markdown.index("Deploy v2") < markdown.index("**MagentoCronStopped fired**")
    assert "Cache flushed" not in markdown
    assert "- cost, by the orders that were expected: not known" in markdown
