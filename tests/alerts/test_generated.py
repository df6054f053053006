"""What is generated is fresh, the same every time, and accepted by the programs that read it."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from alerts.__main__ import ROOT, everything, main, stale, write
from alerts.catalogue import Catalogue, catalogue
from alerts.lib.expression import parse
from alerts.lib.links import Links


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


def test_promtool_accepts_the_rules() -> None:
    files = sorted(str(path) for path in (ROOT / "alerts" / "generated").glob("*.yml"))
    checked = subprocess.run(
        ["promtool", "check", "rules", *files], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_bases_of_links_are_chosen_when_generating(tmp_path: Path) -> None:
    arguments = [
        "--out",
        str(tmp_path),
        "--runbook-base",
        "https://run.example/b/",
        "--grafana-base",
        "https://g.example",
    ]
    assert main(arguments) == 0
    text = (tmp_path / "alerts/generated/cron.yml").read_text()
    assert "runbook_url: https://run.example/b/MagentoCronStopped?job=" in text
    assert "dashboard_url: https://g.example/d/magento-cron?" in text
    assert "localhost" not in text


def test_the_page_about_a_dead_exporter_is_served_by_another(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path), "--standby-runbook-base", "https://other.example/runbooks"]) == 0
    text = (tmp_path / "alerts/generated/exporter.yml").read_text()
    led = set(re.findall(r"https://other\.example/runbooks/(\w+)", text))
    assert led == {"MagentoExporterDown", "MagentoExporterMissing"}
    assert "runbook_url: http://localhost:9816/runbooks/MagentoSourceDown?" in text


def test_scaled_rules_are_valid_and_keep_four_scrapes_in_every_range(tmp_path: Path) -> None:
    assert main(["--scale", "60", "--out", str(tmp_path)]) == 0
    files = sorted(tmp_path.glob("*.yml"))
    checked = subprocess.run(
        ["promtool", "check", "rules", *map(str, files)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for path in files:
        text = path.read_text()
        assert all(parse(found) >= 4 for found in re.findall(r"\[((?:\d+(?:ms|[smhdw]))+)", text))
        for group in yaml.safe_load(text)["groups"]:
            assert group["interval"] == "1s"


def test_scaled_rules_do_not_go_into_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scale", "60"]) == 2
    assert "--out" in capsys.readouterr().err


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
