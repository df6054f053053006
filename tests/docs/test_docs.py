"""The documentation is true: generated pages are fresh, links lead somewhere, names exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from exporter.cli import COMMANDS
from exporter.collectors import all_collectors
from exporter.core.self_metrics import SELF_METRICS
from exporter.web.metrics import SCRAPE_METRICS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
METRIC = re.compile(r"`(magento_[a-z0-9_]+)(?:\{[^`]*\})?`")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(
    r"(?<![\w/.>-])((?:exporter|promql|alerts|dashboards|deploy|docs|runbooks|sandbox|scripts|tests|tools)/[\w./*-]*)(?!<)"
)
"""A path from the root; one with a part in angle brackets is a pattern for people."""

ROLE = ROOT / "deploy/ansible/roles/magento_exporter/defaults/main.yml"
OLD_NAMES = "migration.md"
NOT_METRICS = {"magento_exporter", "magento_role", "magento_root"}  # a user, a label, and a setting


def test_the_references_are_fresh() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/generate_docs.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        if not link.startswith(("http://", "https://", "#")):
            assert (page.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_that_are_named_exist(page: Path) -> None:
    named = {path.rstrip(".") for path in NAMED.findall(page.read_text())}
    assert {path for path in named if not list(ROOT.glob(path.rstrip("/")))} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_metrics_that_are_named_exist(page: Path) -> None:
    known = {m.name for c in all_collectors() for m in c.metrics} | {m.name for m in SELF_METRICS}
    known |= {m.name for m in SCRAPE_METRICS}
    known |= {table for c in all_collectors() for query in c.queries for table in query.reads}
    known |= {f"{name}{suffix}" for name in known for suffix in ("_sum", "_count", "_")}
    text = page.read_text()
    if page.name == OLD_NAMES:
        rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
        text = "\n".join(row[2] for row in rows)
    known |= yaml.safe_load(ROLE.read_text()).keys()
    named = {name for name in METRIC.findall(text) if "_alert_" not in name}
    assert named - known - NOT_METRICS == set()


def test_commands_in_the_documentation_exist() -> None:
    for page in PAGES:
        for word in re.findall(r"(?:^\$ |`)magento-exporter ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert word in {*COMMANDS, "--version"}, (page.name, word)


def test_make_targets_in_the_documentation_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for word in re.findall(r"(?:^\$ |`)make ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert word in targets, (page.name, word)


def checks_of_the_doctor() -> set[str]:
    """Return the names of the checks that may find a fault; a part that varies is left out."""
    found = set()
    for module in (ROOT / "exporter/doctor").glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding":
                status, check = node.args[0], node.args[1]
                if isinstance(check, ast.JoinedStr):
                    check = check.values[0]
                if isinstance(check, ast.Constant) and ast.unparse(status) not in {"Status.OK", "Status.OFF"}:
                    found.add(str(check.value).strip())
    return found


def test_every_check_of_the_doctor_has_its_text() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text().partition("## What the doctor checks")[2]
    written = re.findall(r"^\| `([a-z. ]+)` \| \S.* \| \S.* \|$", page, re.MULTILINE)
    sources = {collector.source for collector in all_collectors()} - {"files"}
    assert len(written) == len(set(written))
    assert set(written) == checks_of_the_doctor() | sources
