"""The HTTP surface, on an application whose shop is a fake collector."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import bcrypt
import httpx
import pytest
import yaml
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.core.collector import Collector, Context
from exporter.core.memory import Memory, VolatileStore
from exporter.core.metrics import Sample, gauge
from exporter.core.render import Format
from exporter.core.runner import Limits, Runner
from exporter.errors import SourceUnavailable
from exporter.pack.addresses import Addresses
from exporter.web.app_state import AppState
from exporter.web.application import create_application
from exporter.web.auth import credentials
from exporter.web.auth.credentials import Access
from exporter.web.auth.web_auth import WebAuth
from exporter.web.metrics import deadline
from exporter.web.negotiation import accepts_gzip, exposition_format
from exporter.web.runbook_page import _title

THINGS = gauge("magento_test_things", 'Things with "quotes" and a \\ backslash.', "kind")


class Good(Collector):
    name, help, source, metrics = "good", "Works.", "database", (THINGS,)

    def collect(self, _context: Context) -> Iterable[Sample]:
        yield THINGS.sample(1, kind='a"b\\c\nd')


class Bad(Collector):
    name, help, source, metrics = "bad", "Fails.", "redis", ()

    def collect(self, _context: Context) -> Iterable[Sample]:
        raise SourceUnavailable("no")


class Slow(Collector):
    name, help, source, metrics = "slow", "Is late.", "varnish", ()

    def collect(self, _context: Context) -> Iterable[Sample]:
        time.sleep(0.6)
        return ()


RUNBOOK = """\
---
owner: somebody
---
# MagentoCronStopped

Cron has <b>stopped</b>.

| | |
|---|---|
| Severity | critical, for the team platform |
| Impact | No e-mails. |
| Rule | `alerts/cron.py` |

<!-- by hand from here on -->

## Check it

See [other](Other.md#fix) and [below](#check-it-1).

| guess | check |
|---|---|
| it hangs | look |

```bash read-only
OWN=1
echo "$JOB_CODE" "$OWN" "$MAGENTO" '<script>2</script>'
```

## Check it

<script>1</script>

```promql
up == 0

sum(
  up)
```
"""


@pytest.fixture
def app_state(tmp_path: Path) -> Iterator[AppState]:
    pools = {source: ThreadPoolExecutor(1) for source in ("database", "redis", "varnish")}
    runner = Runner(
        [Good(), Bad(), Slow()],
        context=_context,
        store=VolatileStore(),
        executors=pools,
        limits=Limits(collector_seconds=0.3, minimum_interval=0),
    )
    (tmp_path / "MagentoCronStopped.md").write_text(RUNBOOK)
    yield AppState(runner, {"queues": "rabbitmq is not configured"}, 5.0, 0.5, tmp_path)
    for pool in pools.values():
        pool.shutdown()


def _context(memory: Memory, now: float) -> Context:
    return Context(*[None] * 10, memory=memory, now=now)  # type: ignore[arg-type]


def application(app_state: AppState, auth: WebAuth | None = None) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield

    app = create_application(lifespan, auth)
    app.state.exporter = app_state
    return app


@pytest.fixture
async def client(app_state: AppState) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(app_state))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


async def test_metrics_as_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"accept-encoding": "identity"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == Format.TEXT.value
    samples = {(s.name, tuple(s.labels.items())): s.value for f in parse_text(answer.text) for s in f.samples}
    assert samples["magento_test_things", (("kind", 'a"b\\c\nd'),)] == 1
    assert samples["magento_collector_success", (("collector", "good"),)] == 1
    assert samples["magento_collector_success", (("collector", "bad"),)] == 0
    assert samples["magento_collector_success", (("collector", "slow"),)] == 0
    assert samples["magento_source_up", (("source", "redis"),)] == 0
    assert samples["magento_collector_enabled", (("collector", "queues"),)] == 0
    assert ("magento_collector_success", (("collector", "queues"),)) not in samples


async def test_metrics_as_openmetrics_and_gzip(client: httpx.AsyncClient) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
    answer = await client.get("/metrics", headers={"accept": accept, "accept-encoding": "gzip"})
    assert answer.headers["content-type"] == Format.OPENMETRICS.value
    assert answer.headers["content-encoding"] == "gzip"
    families = list(parse_openmetrics(answer.text))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    assert "magento_test_things" in names


async def test_collect_filter(client: httpx.AsyncClient) -> None:
    only = await client.get("/metrics", params={"collect[]": "good"})
    assert "magento_test_things" in only.text
    assert (await client.get("/metrics", params={"collect[]": ["good", "nothing"]})).status_code == 400
    off = await client.get("/metrics", params={"collect[]": "queues"})
    assert off.status_code == 200
    assert "magento_test_things" not in off.text


async def test_head_collects_nothing(client: httpx.AsyncClient, app_state: AppState) -> None:
    answer = await client.head("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == Format.TEXT.value
    assert not any(slot.runs for slot in app_state.runner.states.values())


@pytest.mark.parametrize("path", ["/metrics/", "/nothing", "/runbooks/Nothing", "/runbooks/..%2fREADME"])
async def test_nothing_is_redirected(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_head_answers_wherever_get_does(client: httpx.AsyncClient) -> None:
    for path in ("/metrics", "/", "/-/healthy", "/-/ready", "/runbooks/", "/runbooks/MagentoCronStopped"):
        answer = await client.head(path)
        assert (answer.status_code, answer.text) == (200, "")


async def test_the_schema_names_every_operation_once(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/openapi.json")).json()  # a warning about a name given twice is an error here
    named = [operation["operationId"] for path in schema["paths"].values() for operation in path.values()]
    assert len(named) == len(set(named)) == 10


async def test_other_methods_are_refused(client: httpx.AsyncClient) -> None:
    for path in ("/metrics", "/", "/-/healthy", "/runbooks/"):
        assert (await client.post(path)).status_code == 405


async def test_health_and_landing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/-/healthy")).text == "ok\n"
    assert (await client.get("/-/ready")).status_code == 200
    page = (await client.get("/")).text
    assert "failing: unavailable" in page
    assert "rabbitmq is not configured" in page
    assert re.search("<h1>Redis or Valkey( and Varnish)? cannot be reached</h1>", page)
    assert '<li class="failing"><b>Redis or Valkey</b><i class="failing">does not answer</i>' in page


async def test_the_landing_page_fits_a_phone(client: httpx.AsyncClient) -> None:
    """A number stays on one line with its unit, and a row is a card with its text below."""
    page = (await client.get("/")).text
    assert re.search(r"td\.number[^}]*white-space: nowrap", page)
    assert re.search(r"td small \{ display: block; \}", page)
    assert page.count("<tr><td>") == 3


async def test_the_list_of_runbooks_writes_an_abbreviation_in_capitals() -> None:
    assert [_title(subject) for subject in ("slo", "page_cache")] == ["SLO", "Page cache"]


async def test_not_ready_while_nothing_works() -> None:
    runner = Runner(
        [Bad()], context=_context, store=VolatileStore(), executors={"redis": ThreadPoolExecutor(1)}
    )
    lonely = AppState(runner, {}, 1.0, 0.5)
    transport = httpx.ASGITransport(application(lonely))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/-/ready")).status_code == 503
        assert (await client.get("/-/healthy")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200


async def test_the_loop_stays_free_while_a_collector_blocks(client: httpx.AsyncClient) -> None:
    scrape = asyncio.create_task(client.get("/metrics", params={"collect[]": "slow"}))
    await asyncio.sleep(0)
    assert (await client.get("/-/healthy")).status_code == 200
    assert not scrape.done()
    await scrape


async def test_the_index_tells_severity_subject_and_summary(client: httpx.AsyncClient) -> None:
    index = (await client.get("/runbooks/")).text
    assert 'href="MagentoCronStopped"' in index
    assert '<h2 id="critical">Critical</h2>' in index
    assert '<h2 id="cron">Cron</h2>' in index
    assert "Cron has &lt;b&gt;stopped&lt;/b&gt;." in index


async def test_a_runbook_is_a_page_without_raw_html(client: httpx.AsyncClient) -> None:
    page = (await client.get("/runbooks/MagentoCronStopped")).text
    assert "somebody" not in page
    assert 'href="Other#fix"' in page
    assert page.count("<script>") == 1  # its own
    assert 'id="check-it"' in page
    assert 'id="check-it-1"' in page
    assert '<td data-title="check">look</td>' in page
    assert "<dt>Impact</dt><dd>No e-mails.</dd>" in page
    assert "<code>up == 0</code>" in page
    assert "<code>sum(\n  up)</code>" in page


async def test_a_page_that_is_not_of_the_house_is_shown_too(
    client: httpx.AsyncClient, app_state: AppState
) -> None:
    assert app_state.runbooks is not None
    (app_state.runbooks / "Mine.md").write_text("# Mine\n\nAsk Jo.\n")
    assert "Ask Jo." in (await client.get("/runbooks/Mine")).text
    assert "</b>Ask Jo.</a>" in (await client.get("/runbooks/")).text


async def test_a_readme_beside_the_pages_is_none(client: httpx.AsyncClient, app_state: AppState) -> None:
    assert app_state.runbooks is not None
    (app_state.runbooks / "README.md").write_text("# Runbooks\n\nFor readers of files.\n")
    assert (await client.get("/runbooks/README")).status_code == 404
    assert "README" not in (await client.get("/runbooks/")).text


async def test_a_label_that_a_command_insists_on_is_filled_in(
    client: httpx.AsyncClient, app_state: AppState
) -> None:
    assert app_state.runbooks is not None
    (app_state.runbooks / "Mine.md").write_text(
        "```bash read-only\nexport OWN=${OWN:-1}\nmysql -e \"SELECT '${STORE:?}'\"\n```\n"
    )
    page = (await client.get("/runbooks/Mine?store=fr")).text
    assert "SELECT '<mark>fr</mark>'\"" in page
    assert "Set in your shell" not in page
    assert "Set in your shell: STORE<" in (await client.get("/runbooks/Mine")).text


async def test_labels_of_the_link_are_filled_into_commands_and_links(client: httpx.AsyncClient) -> None:
    page = (await client.get("/runbooks/MagentoCronStopped?job_code=a_b&magento=/srv/shop")).text
    assert 'echo "<mark>a_b</mark>" "$OWN" "<mark>/srv/shop</mark>"' in page
    assert 'href="Other?job_code=a_b&amp;magento=%2Fsrv%2Fshop#fix"' in page
    assert "Set in your shell" not in page
    bare = (await client.get("/runbooks/MagentoCronStopped")).text
    assert "Set in your shell: JOB_CODE, MAGENTO" in bare
    assert "MAGENTO='/var/www/html'" in bare


@pytest.mark.parametrize(
    "value",
    ["d';id", "$(id)", "`id`", "a b", "a\nb", "<script>alert(1)</script>", '"><img src=x>', "-rf", "", "é"],
)
async def test_a_label_that_is_not_plain_is_named_and_never_repeated(
    client: httpx.AsyncClient, value: str
) -> None:
    page = (await client.get("/runbooks/MagentoCronStopped", params={"job_code": value})).text
    assert "job_code is not plain text" in page
    assert "<var>$JOB_CODE</var>" in page
    assert page == (await client.get("/runbooks/MagentoCronStopped", params={"job_code": "%%"})).text


async def test_nothing_else_of_the_request_is_repeated(client: httpx.AsyncClient) -> None:
    planted = "<x onload=alert(1)>"
    asked = await client.get(
        "/runbooks/MagentoCronStopped", params={planted: "1", "JOB": "planted"}, headers={"host": planted}
    )
    assert asked.status_code == 200
    assert "onload" not in asked.text
    assert "planted" not in asked.text
    assert planted not in (await client.get(f"/runbooks/{planted}")).text


async def test_a_page_may_load_and_run_nothing_but_itself(client: httpx.AsyncClient) -> None:
    for path in ("/runbooks/", "/runbooks/MagentoCronStopped"):
        answer = await client.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        for tag in ("style", "script"):
            text = answer.text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", Format.TEXT),
        ("*/*", Format.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.TEXT),
        ("application/openmetrics-text", Format.OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0", Format.OPENMETRICS),
        ("application/openmetrics-text; version=9.9.9", Format.TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.9", Format.TEXT),
        ("application/openmetrics-text;q=0", Format.TEXT),
        ("application/openmetrics-text;q=nonsense", Format.TEXT),
        ("application/vnd.google.protobuf;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
         Format.OPENMETRICS),
    ],
)  # fmt: skip
def test_the_format_follows_accept(accept: str, expected: Format) -> None:
    assert exposition_format(accept) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", False), ("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("*", True),
     ("identity", False), ("*;q=0, gzip", True)],
)  # fmt: skip
def test_gzip_follows_accept_encoding(header: str, expected: bool) -> None:
    assert accepts_gzip(header) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, 5.0), ("10", 5.0), ("3", 2.5), ("0.2", 0.1), ("x", 5.0), ("nan", 5.0), ("-1", 5.0), ("inf", 5.0)],
)
def test_the_deadline_is_the_smaller_of_ours_and_prometheus(
    app_state: AppState, header: str | None, expected: float
) -> None:
    assert deadline(header, app_state) == pytest.approx(expected)


def test_compressed_bodies_are_reproducible() -> None:
    assert gzip.decompress(gzip.compress(b"x", 1, mtime=0)) == b"x"


@pytest.fixture
def web_config(tmp_path: Path) -> Path:
    file = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    file.write_text(
        f"basic_auth_users: {{prometheus: '{hashed}'}}\nhttp_server_config: {{headers: {{X-Y: z}}}}\n"
    )
    return file


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def test_basic_auth_and_token(app_state: AppState, web_config: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    auth = WebAuth(config_file=web_config, token_file=token)
    transport = httpx.ASGITransport(application(app_state, auth))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for headers in (
            {}, basic("prometheus", "wrong"), basic("nobody", "right"), {"authorization": "Basic !!"},
            {"authorization": "Bearer wrong"}, {"authorization": "Bearer"}, {"authorization": "Digest x"},
        ):  # fmt: skip
            for path in ("/metrics", "/", "/runbooks/", "/-/ready"):
                answer = await client.get(path, headers=headers)
                assert answer.status_code == 401, (path, headers)
                assert "magento" not in answer.text
        assert (await client.get("/-/healthy")).status_code == 200
        good = await client.get("/", headers=basic("prometheus", "right"))
        assert good.status_code == 200
        assert good.headers["x-y"] == "z"
        assert (await client.get("/", headers={"authorization": "Bearer t0ken"})).status_code == 200


async def allows(auth: WebAuth, authorization: str, client: str = "10.0.0.1") -> bool:
    return await auth.access(authorization, client) is Access.ALLOWED


async def test_changed_files_are_followed_and_broken_ones_ignored(web_config: Path) -> None:
    auth = WebAuth(config_file=web_config)
    assert await allows(auth, basic("prometheus", "right")["authorization"])
    hashed = bcrypt.hashpw(b"newer", bcrypt.gensalt(4)).decode()
    web_config.write_text(f"basic_auth_users: {{prometheus: '{hashed}', second: '{hashed}'}}\n")
    assert not await allows(auth, basic("prometheus", "right")["authorization"])
    assert await allows(auth, basic("second", "newer")["authorization"])
    for text in ("basic_auth_users: [broken\n", "", "basic_auth_users: {}\n"):
        web_config.write_text(text)
        assert await allows(auth, basic("second", "newer")["authorization"])
        assert not await allows(auth, ""), f"{text!r} opens the door"


async def test_guessing_does_not_push_out_who_is_known(
    web_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = WebAuth(config_file=web_config)
    right = basic("prometheus", "right")["authorization"]
    assert await allows(auth, right)
    monkeypatch.setattr(credentials, "CACHE_SIZE", 3)
    for guess in range(5):
        assert not await allows(auth, basic("prometheus", f"guess {guess}")["authorization"])
    async with auth._logins._turns.taken("10.0.0.1"):
        assert await asyncio.wait_for(allows(auth, right), 60)


# --- rules ---------------------------------------------------------------------------------------


def addressed(app_state: AppState, runbooks: str = "", grafana: str = "https://g.example") -> AppState:
    return replace(app_state, links=Addresses(runbooks, grafana))


async def rules_of(app_state: AppState, asked_at: str) -> httpx.Response:
    transport = httpx.ASGITransport(application(app_state))
    async with httpx.AsyncClient(transport=transport, base_url=asked_at) as client:
        return await client.get("/rules.yml")


async def test_the_rules_lead_to_the_runbooks_of_the_exporter_that_was_asked(app_state: AppState) -> None:
    answer = await rules_of(addressed(app_state), "http://mon.example:9816")
    assert answer.status_code == 200
    found = yaml.safe_load(answer.text)["groups"]
    links = [r["annotations"]["runbook_url"] for g in found for r in g["rules"] if "alert" in r]
    assert len(links) > 50
    assert all(link.startswith("http://mon.example:9816/runbooks/Magento") for link in links)
    assert "is_not_set" not in answer.text


async def test_the_rules_lead_where_the_settings_say(app_state: AppState) -> None:
    answer = await rules_of(addressed(app_state, "https://run.example/r"), "http://127.0.0.1:9816")
    assert "https://run.example/r/MagentoCronStopped?" in answer.text


@pytest.mark.parametrize(
    ("grafana", "asked_at", "said"),
    [
        ("https://g.example", "http://127.0.0.1:9816", "is this machine"),
        ("", "http://mon.example:9816", "links.grafana"),
    ],
)
async def test_no_rules_without_addresses_that_lead_somewhere(
    grafana: str, asked_at: str, said: str, app_state: AppState
) -> None:
    answer = await rules_of(addressed(app_state, grafana=grafana), asked_at)
    assert answer.status_code == 409
    assert said in answer.text


async def test_a_forged_host_does_not_come_into_the_rules(app_state: AppState) -> None:
    transport = httpx.ASGITransport(application(addressed(app_state)))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/rules.yml", headers={"host": "a'{{ evil }}"})
    assert answer.status_code == 409
