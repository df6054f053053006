"""Who is notified, and which alert inhibits which: by amtool, and by a real Alertmanager."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml

from alerts.__main__ import ROOT
from alerts.catalogue import Catalogue
from alerts.lib.alertmanager import CRON_FEEDS, DEADMAN, NOBODY, SECURITY, page, ticket, urgent
from alerts.lib.model import Alert, Category, Severity, Team
from alerts.lib.prometheus import tags
from exporter.magento.roles import ROLE
from sandbox.process import wait_until
from sandbox.servers.alertmanager import Alertmanager
from tests.harness.limits import LONG

CONFIGURATION = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"


def receiver(alert: Alert, severity: Severity) -> str:
    """Return who must be notified, as the policy says: severity first, then the subject, then the team."""
    if alert.name == "MagentoWatchdog":
        return DEADMAN
    if severity is Severity.CRITICAL:
        return page(alert.team)
    if severity in {Severity.INFO, Severity.NONE}:
        return NOBODY
    if alert.category is Category.SECURITY:
        return SECURITY
    return urgent(alert.team) if severity is Severity.URGENT else ticket(alert.team)


def amtool(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["amtool", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG,
        env={**os.environ, **(environment or {})},
    )


def test_amtool_accepts_the_file() -> None:
    checked = amtool("check-config", str(CONFIGURATION))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 templates" in checked.stdout


def test_routes_to_the_right_receiver(alert: Alert, found: Catalogue) -> None:
    for severity in alert.severities:
        labels = {"alertname": alert.name, **tags(alert, found.owners), "severity": severity.value}
        routed = amtool(
            "config",
            "routes",
            "test",
            f"--config.file={CONFIGURATION}",
            f"--verify.receivers={receiver(alert, severity)}",
            *(f"{name}={value}" for name, value in labels.items()),
        )
        assert routed.returncode == 0, routed.stdout + routed.stderr


@pytest.mark.parametrize("team", list(Team))
@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.URGENT, Severity.WARNING, Severity.INFO])
@pytest.mark.parametrize("category", list(Category))
def test_every_severity_and_category_has_a_route(team: Team, severity: Severity, category: Category) -> None:
    if severity is Severity.CRITICAL:
        wanted = page(team)
    elif severity is Severity.INFO:
        wanted = NOBODY
    elif category is Category.SECURITY:
        wanted = SECURITY
    else:
        wanted = urgent(team) if severity is Severity.URGENT else ticket(team)
    routed = amtool(
        "config",
        "routes",
        "test",
        f"--config.file={CONFIGURATION}",
        f"--verify.receivers={wanted}",
        f"severity={severity}",
        f"category={category}",
        f"team={team}",
        "alertname=MagentoAnything",
    )
    assert routed.returncode == 0, routed.stdout + routed.stderr


def test_inhibitions_name_alerts_that_exist(found: Catalogue) -> None:
    names = {alert.name for alert in found.all}
    assert set(CRON_FEEDS) <= names
    text = CONFIGURATION.read_text()
    mentioned = {
        word for word in text.replace("|", " ").replace('"', " ").split() if word.startswith("Magento")
    }
    assert mentioned - {"Magento.+"} <= names


def test_no_secret_is_in_the_file() -> None:
    text = CONFIGURATION.read_text()
    assert "routing_key:" not in text
    assert "api_url:" not in text


def test_secrets_are_found_from_any_working_directory() -> None:
    named = re.findall(r"_(?:url|key)_file: (\S+)", CONFIGURATION.read_text())
    assert len(set(named)) == 5
    assert all(path.startswith("/") for path in named)


def test_only_a_warning_waits_for_the_morning() -> None:
    routes = yaml.safe_load(CONFIGURATION.read_text())["route"]["routes"]
    waiting = {route["receiver"] for route in routes if "off-hours" in route.get("mute_time_intervals", [])}
    assert waiting == {ticket(team) for team in Team}


RANK = [Severity.NONE, Severity.INFO, Severity.WARNING, Severity.URGENT, Severity.CRITICAL]
Rule = Mapping[str, list[str]]


def holds(matcher: str, labels: Mapping[str, str], places: AbstractSet[str]) -> bool:
    """Tell whether a matcher can hold of an alert: a label that names a place may have any value."""
    parts = re.fullmatch(r'(\w+) (=~|!~|!=|=) "(.*)"', matcher)
    assert parts, matcher
    name, operator, wanted = parts.groups()
    if name in places:
        return True
    value = labels.get(name, "")
    same = bool(re.fullmatch(wanted, value)) if "~" in operator else value == wanted
    return same is not operator.startswith("!")


def affected(matchers: Sequence[str], found: Catalogue) -> Iterator[tuple[str, Severity]]:
    """Yield the alerts, with each severity that they may have, of which all matchers can hold."""
    for alert in found.all:
        places = {*alert.series_labels, *alert.cases.target_labels}
        for severity in alert.severities:
            labels = {"alertname": alert.name, **tags(alert, found.owners), "severity": severity.value}
            if all(holds(matcher, labels, places) for matcher in matchers):
                yield alert.name, severity


def milder(found: Catalogue, rules: Sequence[Rule]) -> set[tuple[str, str]]:
    """Return each critical alert that something milder can inhibit: the cause and the critical one."""
    return {
        (cause, effect)
        for rule in rules
        for effect, severity in affected(rule["target_matchers"], found)
        for cause, weight in affected(rule["source_matchers"], found)
        if severity is Severity.CRITICAL and RANK.index(weight) < RANK.index(severity)
    }


def test_nothing_critical_is_inhibited_by_something_milder(found: Catalogue) -> None:
    rules = yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]
    assert milder(found, rules) == set()


def test_a_milder_cause_would_be_found(found: Catalogue) -> None:
    rule = {
        "source_matchers": ['alertname = "MagentoCollectorFailing"'],
        "target_matchers": ['collector != ""', 'alertname !~ "MagentoCollectorFailing|MagentoDataStale"'],
    }
    assert ("MagentoCollectorFailing", "MagentoMaintenanceForgotten") in milder(found, [rule])


def named(alert: str, rule: Rule) -> bool:
    """Return whether the rule is about this alert by its name."""
    return any(re.search(rf'^alertname =~? ".*\b{alert}\b', matcher) for matcher in rule["target_matchers"])


def outliving(found: Catalogue, rules: Sequence[Rule]) -> set[tuple[str, str]]:
    """Return each call, or urgent alert that is named, that goes on after what inhibits it has resolved.

    A window takes time to let go of what is over, too: that of a rate longer than that of a state.
    """
    lasts = {alert.name: alert.keep_firing_for + alert.cases.clears_after for alert in found.all}
    return {
        (cause, effect)
        for rule in rules
        for effect, severity in affected(rule["target_matchers"], found)
        for cause, _ in affected(rule["source_matchers"], found)
        if lasts[effect] > lasts[cause]
        and (severity is Severity.CRITICAL or (severity is Severity.URGENT and named(effect, rule)))
    }


def test_nobody_is_called_about_a_consequence_after_the_repair(found: Catalogue) -> None:
    rules = yaml.safe_load(CONFIGURATION.read_text())["inhibit_rules"]
    assert outliving(found, rules) == set()


def test_the_dead_man_hears_the_watchdog_every_minute() -> None:
    routes = yaml.safe_load(CONFIGURATION.read_text())["route"]["routes"]
    assert routes[0]["receiver"] == DEADMAN
    assert routes[0]["repeat_interval"] == "1m"
    assert "mute_time_intervals" not in routes[0]


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with Alertmanager(tmp_path_factory.mktemp("alertmanager"), configuration=CONFIGURATION) as server:
        yield server


class Board:
    """Posts alerts of the catalogue and asks which of them are inhibited."""

    def __init__(self, server: Alertmanager, found: Catalogue) -> None:
        self.server = server
        self.found = found
        self.by_name = {alert.name: alert for alert in found.all}

    def labels(self, name: str, labels: Mapping[str, str]) -> dict[str, str]:
        return {"alertname": name, **labels, **tags(self.by_name[name], self.found.owners)}

    def post(self, *alerts: Mapping[str, str]) -> None:
        now = datetime.now(UTC).isoformat()
        body = [{"labels": dict(labels), "startsAt": now} for labels in alerts]
        httpx.post(f"{self.server.url}/api/v2/alerts", json=body, trust_env=False).raise_for_status()

    def inhibited(self, labels: Mapping[str, str]) -> bool:
        for alert in self.server.alerts():
            if alert["labels"] == dict(labels):
                return bool(alert["status"]["inhibitedBy"])
        return False


@pytest.fixture(scope="module")
def board(alertmanager: Alertmanager, found: Catalogue) -> Board:
    return Board(alertmanager, found)


Pair = tuple[str, Mapping[str, str], str, Mapping[str, str]]
"""A cause with its labels, and an effect with its own."""

CAUSES: list[Pair] = [
    ("MagentoExporterDown", {}, "MagentoCronStopped", {}),
    ("MagentoExporterDown", {}, "MagentoOrdersLow", {"store": "de"}),
    ("MagentoExporterDown", {}, "MagentoExporterUnreachable", {}),
    ("MagentoExporterUnreachable", {}, "MagentoCronStopped", {}),
    ("MagentoBackendDown", {"source": "database"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoBackendDown", {"source": "database"}, "MagentoCollectorFailing", {"collector": "cron"}),
    ("MagentoBackendDown", {"source": "varnish"}, "MagentoDataStale", {"collector": "page_cache"}),
    ("MagentoBackendDown", {"source": "redis"}, "MagentoSessionStoreDown", {"role": "session"}),
    ("MagentoBackendDown", {"source": "redis"}, "MagentoCacheStoreDown", {"role": "cache"}),
    ("MagentoBackendDown", {"source": "varnish"}, "MagentoPageCacheInstanceDown", {"varnish": "v"}),
    ("MagentoBackendDown", {"source": "database"}, "MagentoBackendsSick", {"varnish": "v"}),
    ("MagentoSourceDown", {"source": "rabbitmq"}, "MagentoDataStale", {"collector": "queues_rabbitmq"}),
    ("MagentoCollectorFailing", {"collector": "cron"}, "MagentoCronLagging", {}),
    (
        "MagentoDataStale",
        {"collector": "indexers"},
        "MagentoIndexerInvalid",
        {"indexer": "catalog_product_price"},
    ),
    ("MagentoCollectorFailing", {"collector": "cron"}, "MagentoDataStale", {"collector": "cron"}),
    ("MagentoOrdersStopped", {"store": "de"}, "MagentoOrdersLow", {"store": "de"}),
    ("MagentoBackendsSick", {"varnish": "v"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoMaintenanceForgotten", {}, "MagentoOrdersLow", {"store": "de"}),
    ("MagentoSessionStoreDown", {"role": "session"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoSessionWritesRefused", {"role": "session"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoPaymentsFail", {"store": "de"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoPaymentsFail", {"store": "de"}, "MagentoFailedPlacementsUnusual", {"store": "de"}),
    (
        "MagentoPaymentsFail",
        {"store": "de"},
        "MagentoPaymentMethodDead",
        {"store": "de", "method": "paypal_express"},
    ),
    ("MagentoCronStopped", {}, "MagentoCronLagging", {}),
    ("MagentoCronStopped", {}, "MagentoOrderEmailsUnsent", {"document": "order"}),
    (
        "MagentoOrdersStopped",
        {"store": "all-stores"},
        "MagentoPaymentMethodQuiet",
        {"store": "de", "method": "checkmo"},
    ),
    ("MagentoOrdersStopped", {"store": "all-stores"}, "MagentoNobodyComes", {}),
    ("MagentoPaymentsFail", {"store": "de"}, "MagentoCarding", {"store": "de"}),
    ("MagentoPaymentsFail", {"store": "de"}, "MagentoCheckoutBudgetBurnSlow", {"store": "de"}),
    ("MagentoMaintenanceForgotten", {}, "MagentoNobodyComes", {}),
    ("MagentoDiskFull", {"mountpoint": "/var"}, "MagentoDiskFilling", {"mountpoint": "/var"}),
]

INDEPENDENT: list[Pair] = [
    ("MagentoBackendDown", {"source": "varnish"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoSourceDown", {"source": "rabbitmq"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoBackendDown", {"source": "redis"}, "MagentoCronStopped", {}),
    ("MagentoBackendDown", {"source": "redis"}, "MagentoCollectorFailing", {"collector": "cron"}),
    ("MagentoBackendDown", {"source": "varnish"}, "MagentoSessionStoreDown", {"role": "session"}),
    ("MagentoCacheStoreDown", {"role": "cache"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoCollectorFailing", {"collector": "cron"}, "MagentoQueueMessagesFailing", {"queue": "export"}),
    ("MagentoOrdersStopped", {"store": "de"}, "MagentoOrdersLow", {"store": "fr"}),
    ("MagentoOrdersStopped", {"store": "de"}, "MagentoCronStopped", {}),
    ("MagentoCarding", {"store": "de"}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoCronStopped", {}, "MagentoBackendsSick", {"varnish": "v"}),
    ("MagentoExporterDown", {}, "MagentoWatchdog", {}),
    ("MagentoExporterDown", {}, "MagentoBackendDown", {"source": "database"}),
    ("MagentoExporterDown", {}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoCollectorFailing", {"collector": "deployment"}, "MagentoMaintenanceForgotten", {}),
    ("MagentoSourceDown", {"source": "files"}, "MagentoMaintenanceForgotten", {}),
    ("MagentoMaintenanceForgotten", {}, "MagentoMaintenanceForgotten", {}),
    ("MagentoCarding", {"store": "de"}, "MagentoPaymentsFail", {"store": "de"}),
    ("MagentoCarding", {"store": "de"}, "MagentoFailedPlacementsUnusual", {"store": "de"}),
    ("MagentoOrdersStopped", {"store": "de"}, "MagentoPaymentsFail", {"store": "de"}),
    ("MagentoOrdersStopped", {"store": "all-stores"}, "MagentoPaymentsFail", {"store": "de"}),
    ("MagentoNobodyComes", {}, "MagentoOrdersStopped", {"store": "de"}),
    ("MagentoDiskFull", {"mountpoint": "/var"}, "MagentoDiskFilling", {"mountpoint": "/srv"}),
    ("MagentoDiskFull", {ROLE: "node+web"}, "MagentoCollectorFailing", {"collector": "cron"}),
    ("MagentoDiskFull", {ROLE: "node+database"}, "MagentoCollectorFailing", {"collector": "page_cache"}),
    (
        "MagentoCheckoutStageFailing",
        {"store": "de", "stage": "payment_method"},
        "MagentoOrdersStopped",
        {"store": "de"},
    ),
]


@pytest.mark.parametrize("pair", CAUSES)
def test_a_cause_silences_its_effect_in_its_own_shop_only(
    board: Board, request: pytest.FixtureRequest, pair: Pair
) -> None:
    cause, cause_labels, effect, effect_labels = pair
    case = {"job": "magento", "instance": request.node.name}
    other = {"job": "magento", "instance": "other-" + request.node.name}
    silenced = board.labels(effect, {**case, **effect_labels})
    spared = board.labels(effect, {**other, **effect_labels})
    board.post(silenced, spared, board.labels(cause, {**case, **cause_labels}))
    wait_until(lambda: board.inhibited(silenced), seconds=LONG, what=f"{cause} does not silence {effect}")
    assert not board.inhibited(spared)


@pytest.mark.parametrize("pair", INDEPENDENT)
def test_what_has_another_cause_is_heard(board: Board, request: pytest.FixtureRequest, pair: Pair) -> None:
    cause, cause_labels, effect, effect_labels = pair
    case = {"job": "magento", "instance": request.node.name}
    heard = board.labels(effect, {**case, **effect_labels})
    # A proof that the cause has arrived: something that it does silence.
    witness = board.labels("MagentoDataStale", {**case, "collector": "witness"})
    board.post(heard, witness, board.labels(cause, {**case, **cause_labels}))
    board.post(board.labels("MagentoCollectorFailing", {**case, "collector": "witness"}))
    wait_until(lambda: board.inhibited(witness), seconds=LONG, what="the witness is not silenced")
    assert not board.inhibited(heard)


LAYERS = [
    ("MagentoDatabaseRefusesConnections", "MagentoPhpFull"),
    ("MagentoDatabaseRefusesConnections", "MagentoPagesSlow"),
    ("MagentoDatabaseLocksHeld", "MagentoPagesSlow"),
    ("MagentoPhpFull", "MagentoEdgeErrors"),
    ("MagentoSearchDown", "MagentoPhpFull"),
    ("MagentoDiskFull", "MagentoCollectorFailing"),
    ("MagentoBackendDown", "MagentoPhpFull"),
    ("MagentoBackendDown", "MagentoReplicaStopped"),
]


@pytest.mark.parametrize(("cause", "effect"), LAYERS)
def test_a_lower_layer_inhibits_the_layers_above_in_its_own_shop(
    board: Board, request: pytest.FixtureRequest, cause: str, effect: str
) -> None:
    """Each has the job and the instance of its own exporter; only the shop's name joins them."""
    name = request.node.name
    layer = {"job": "below", "instance": "a:1", ROLE: "node+database", "source": "database"}
    beside = {"job": "above", "instance": "b:2", "collector": "cron"}
    below = board.labels(cause, {**layer, "shop": name})
    above = board.labels(effect, {**beside, "shop": name})
    spared = board.labels(effect, {**beside, "shop": f"other-{name}"})
    board.post(above, spared, below)
    wait_until(lambda: board.inhibited(above), seconds=LONG, what=f"{cause} does not inhibit {effect}")
    assert not board.inhibited(spared)


def test_templates_render_every_link(tmp_path: Path) -> None:
    template = ROOT / "deploy" / "alertmanager" / "templates" / "magento.tmpl"
    data = tmp_path / "data.json"
    data.write_text(
        '{"receiver": "x", "status": "firing", "externalURL": "http://am.example",'
        '"alerts": [{"status": "firing", "startsAt": "2026-11-27T20:30:00Z", "labels": {},'
        '"annotations": {"description": "It is so.",'
        '"runbook_url": "http://run/MagentoX", "dashboard_url": "http://g/d/x"}}],'
        '"groupLabels": {"alertname": "MagentoX", "instance": "shop:9816"},'
        '"commonLabels": {"alertname": "MagentoX", "severity": "critical", "store": "de & fr"},'
        '"commonAnnotations": {"summary": "It is.", "impact": "Bad.", "first_action": "Look."}}'
    )
    wanted = {
        "magento.title": "[CRITICAL] It is so. Since Fri 20:30 UTC",
        "magento.text": "*Impact:* Bad.\n*First:* Look.\nMagentoX",
        "magento.runbook": "http://run/MagentoX",
        "magento.panel": "http://g/d/x&from=1795807800000&to=now",
        "magento.colour": "danger",
        "magento.silence": "http://am.example/#/silences/new?filter=%7Balertname%3D%22MagentoX%22%2C"
        "severity%3D%22critical%22%2Cstore%3D%22de+%26+fr%22%7D",
    }
    for name, text in wanted.items():
        rendered = amtool(
            "template",
            "render",
            f"--template.glob={template}",
            f'--template.text={{{{ template "{name}" . }}}}',
            f"--template.data={data}",
            "--template.type=text",
            environment={"TZ": "UTC"},
        )
        assert rendered.stdout.strip() == text, rendered.stderr
