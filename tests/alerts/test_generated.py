"""What is generated is fresh, the same every time, and accepted by the programs that read it."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from alerts.__main__ import ROOT, everything, main, stale, write
from alerts.catalogue import Catalogue, catalogue
from alerts.lib.links import DEMO, Links, carried
from alerts.lib.model import Alert, Category
from promql.clock import Clock
from promql.durations import Duration
from promql.nodes import Range, Subquery
from promql.render import layout


def test_the_repository_is_fresh(found: Catalogue) -> None:
    assert stale(everything(found, Links()), ROOT) == []


def test_generation_is_byte_stable(found: Catalogue) -> None:
    assert everything(found, Links()) == everything(catalogue(), Links())


def test_a_changed_missing_or_foreign_file_is_found(found: Catalogue, tmp_path: Path) -> None:
    files = everything(found, Links())
    write(files, tmp_path)
    assert stale(files, tmp_path) == []
    (tmp_path / "alerts/generated/cron.yml").write_text("groups: []\n")
    (tmp_path / "alerts/generated/slo.yml").unlink()
    (tmp_path / "alerts/generated/mine.yml").touch()
    assert set(stale(files, tmp_path)) == {
        "alerts/generated/slo.yml is missing",
        "alerts/generated/cron.yml is not fresh",
        "alerts/generated/mine.yml is not generated",
    }


def test_nothing_is_written_twice(found: Catalogue) -> None:
    files = everything(found, Links())
    assert len(set(files.values())) == len(files)


def promtool(*files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", "check", "rules", *map(str, files)], capture_output=True, text=True, check=False
    )


def test_promtool_accepts_the_rules_once_they_have_addresses(
    rules: Mapping[str, str], tmp_path: Path
) -> None:
    for name, text in rules.items():
        (tmp_path / name).write_text(text)
    checked = promtool(*tmp_path.glob("*.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_refuses_the_rules_without_addresses_and_says_what_is_missing(alert: Alert) -> None:
    files = sorted((ROOT / "alerts" / "generated").glob("*.yml"))
    refused = promtool(*files)
    assert refused.returncode != 0
    lines = (refused.stdout + refused.stderr).splitlines()
    runbook = "standby_runbook" if alert.blinds else "runbook"
    for annotation, base in (("runbook_url", runbook), ("dashboard_url", "grafana")):
        complaint = f'__alert_{alert.name}:1: function "{base}_base_is_not_set" not defined'
        assert any(annotation in line and complaint in line for line in lines)


BASES = ("--runbook-base", "https://run.example/b/", "--grafana-base", "https://g.example")


def test_the_bases_of_links_are_chosen_when_generating(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), *BASES]) == 0
    text = (tmp_path / "alerts/generated/cron.yml").read_text()
    assert "runbook_url: https://run.example/b/MagentoCronStopped?job=" in text
    assert "dashboard_url: https://g.example/d/magento-cron?" in text
    assert "localhost" not in text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "0.0.0.0", "[::1]"])  # noqa: S104 - refused
@pytest.mark.parametrize("option", ["--runbook-base", "--grafana-base", "--standby-runbook-base"])
def test_a_telephone_gets_no_link_to_itself(
    option: str, host: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"http://{host}:3000"
    assert main(["--out", str(tmp_path), *BASES, option, address]) == 2
    assert address in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "there"], "without --runbook-base and --grafana-base"),
        (["--out", "there", *BASES[:2]], "without --runbook-base and --grafana-base"),
        ([*BASES], "need --out"),
        (["--demo"], "--demo needs --out"),
        (["--scale", "60", "--out", "there", *BASES], "--scale needs --demo"),
        (["--out", "there", *BASES, "--time-zone", "Europe/Nowhere"], "Europe/Nowhere"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_written(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_working_hours_are_those_of_the_shop(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), *BASES, "--time-zone", "Europe/Berlin"]) == 0
    settings = yaml.safe_load((tmp_path / "deploy/alertmanager/alertmanager.yml").read_text())
    intervals = [part for named in settings["time_intervals"] for part in named["time_intervals"]]
    assert {part["location"] for part in intervals} == {"Europe/Berlin"}


def test_the_page_about_a_dead_exporter_is_served_by_another(tmp_path: Path) -> None:
    standby = ["--standby-runbook-base", "https://other.example/runbooks"]
    assert main(["--out", str(tmp_path), *BASES, *standby]) == 0
    text = (tmp_path / "alerts/generated/exporter.yml").read_text()
    led = set(re.findall(r"https://other\.example/runbooks/(\w+)", text))
    assert led == {f"MagentoExporter{how}" for how in ("Down", "Missing", "Unreachable", "Vanished")}
    assert "runbook_url: https://run.example/b/MagentoSourceDown?" in text


def test_scaled_rules_are_valid(found: Catalogue, tmp_path: Path) -> None:
    assert main(["--demo", "--scale", "60", "--out", str(tmp_path)]) == 0
    files = sorted(tmp_path.glob("*.yml"))
    checked = promtool(*files)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    assert {group["interval"] for group in groups} == {"1s"}
    written = {
        rule.get("alert") or rule["record"]: rule["expr"] for group in groups for rule in group["rules"]
    }
    declared = {rule.name: rule.expr for rule in (*found.all, *found.owners.recordings)}
    assert written == {name: layout(Clock(60).scaled(expr)) for name, expr in declared.items()}


def test_scaled_rules_keep_four_scrapes_in_every_range(found: Catalogue) -> None:
    for rule in (*found.all, *found.owners.recordings):
        for node in Clock(60).scaled(rule.expr).walk():
            if isinstance(node, Range | Subquery):
                assert isinstance(node.span, Duration)
                assert node.span.seconds >= 4, rule.name


def test_the_command_checks(tmp_path: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "alerts", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert tmp_path.exists()


def test_rules_of_one_name_cannot_be_told_apart_only_by_chance(rules: Mapping[str, str]) -> None:
    """No two alerts share name and labels: Alertmanager would take them for one."""
    seen = [
        r["alert"]
        for text in rules.values()
        for g in yaml.safe_load(text)["groups"]
        for r in g["rules"]
        if "alert" in r
    ]
    assert len(seen) == len(set(seen))


def test_the_panel_is_shown_for_what_the_alert_is_about(alert: Alert) -> None:
    """Every variable of the panel's dashboard that the alert has a label for is set by the link."""
    dashboard = json.loads(
        (ROOT / "dashboards" / "generated" / f"{alert.panel.dashboard}.json").read_text(encoding="utf-8")
    )
    known = {variable["name"] for variable in dashboard["templating"]["list"]}
    link = DEMO.panel(alert)
    elsewhere = {"job", "instance"} if alert.category is Category.PLATFORM else set()  # of another exporter
    for name in set(carried(alert)) - elsewhere:
        assert (f"var-{name}={{{{ $labels.{name} | urlquery }}}}&" in link) is (name in known)
