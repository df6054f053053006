"""Every snippet of every page is read by what would read it: a shell, a parser, promtool, our own program."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema_rs
import pytest
import yaml

from exporter.cli import _parser
from exporter.errors import ExporterError
from exporter.settings import Settings, validate
from tests.docs.test_docs import PAGES, ROOT
from tests.harness.limits import LONG

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
HAVE_SNIPPETS = [*PAGES, ROOT / "runbooks/README.md", *sorted((ROOT / "tools").glob("*/README.md"))]
SNIPPETS = [
    pytest.param(language, text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in HAVE_SNIPPETS
    for number, (_, language, text) in enumerate(BLOCK.findall(page.read_text()), 1)
]
CHART = ROOT / "deploy/helm/magento-observability"
ROLE = ROOT / "deploy/ansible/roles/magento_exporter"
STATEMENTS = (ROOT / "docs" / "statements.md").read_text()
OURS = re.compile(r"(?:^|[|;&(] *)(?:\w+=\S+ )*magento-exporter ([a-z].*)")
OPEN = re.compile(r"<[a-z ]+>|\.\.\.|\[[a-z]")
"""What a reader has to fill in."""


def commands(text: str) -> str:
    """Return what is typed of a session on a console: the lines after a prompt, and how they go on."""
    typed, goes_on = [], False
    for line in text.splitlines():
        if line.startswith("$ ") or goes_on:
            typed.append(line.removeprefix("$ "))
            goes_on = line.endswith("\\")
    return "\n".join(typed)


def shell(text: str) -> None:
    """Let bash read it, and our own program its part of it."""
    checked("bash", "-n", given=text)
    for line in text.replace("\\\n", " ").splitlines():
        for found in OURS.findall(line):
            words = shlex.split(re.split(r" [|>;&]|\)", found)[0], comments=True)
            if not OPEN.search(found):
                _parser().parse_args(words)


def console(text: str) -> None:
    typed = commands(text)
    assert typed, "a console shows what is typed, after a prompt"
    shell(typed)


def checked(*command: str, given: str = "") -> None:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=LONG, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def promql(text: str) -> None:
    rule = {"groups": [{"name": "x", "rules": [{"record": "x:y", "expr": text}]}]}
    checked("promtool", "check", "rules", "/dev/stdin", given=json.dumps(rule))


def hcl(text: str) -> None:
    """Terraform's is the only reader of it here; its form is the one that `fmt` writes."""
    program = shutil.which("terraform")
    if program:
        done = subprocess.run(
            [program, "fmt", "-"],
            input=text, capture_output=True, text=True, timeout=LONG, check=False, env={},
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, text), done.stderr


def mermaid(text: str) -> None:
    """No more than its form: its own parser needs a browser."""
    assert re.match(r"(flowchart|graph|sequenceDiagram|stateDiagram)", text)
    assert all(text.count(one) == text.count(other) for one, other in ("[]", "()", "{}"))


def sql(text: str) -> None:
    """The statements of docs/statements.md are the collectors', which tests run on every server."""
    assert text in STATEMENTS


def ini(text: str) -> None:
    configparser.ConfigParser(allow_no_value=True).read_string(text)


def plain(_text: str) -> None:
    """What a program prints: nobody reads it back."""


def prometheus(config: Mapping[str, Any], **files: object) -> None:
    """Let promtool read a configuration, and the rules or targets that it names."""
    with TemporaryDirectory() as name:
        for file, content in {**files, "prometheus": config}.items():
            Path(name, f"{file}.yml").write_text(yaml.safe_dump(content))
        checked("promtool", "check", "config", f"{name}/prometheus.yml")


def targets(found: Sequence[Mapping[str, Any]]) -> None:
    """As targets of our own job: it says how an address is made of a page."""
    name = "probe" if "module" in found[0].get("labels", ()) else "magento"
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (job,) = (job for job in jobs if job["job_name"] == name)
    prometheus({"scrape_configs": [{**job, "file_sd_configs": [{"files": ["targets.yml"]}]}]}, targets=found)


def alertmanager(found: Mapping[str, Any]) -> None:
    """The part that is added needs somebody who gets what no route takes."""
    nobody = {"name": "nobody"}
    whole = {
        "route": {"receiver": "nobody", **found["route"]},
        "receivers": [nobody, *found.get("receivers", ())],
    }
    checked("amtool", "check-config", "/dev/stdin", given=yaml.safe_dump(whole))


def values_of_the_chart(found: Mapping[str, Any]) -> None:
    jsonschema_rs.validate(json.loads((CHART / "values.schema.json").read_text()), found)


def variables_of_the_role(found: Mapping[str, Any]) -> None:
    validate(found.get("magento_exporter_settings", {}))


def rules(found: Mapping[str, Any]) -> None:
    prometheus({"rule_files": ["rules.yml"]}, rules=found)


MEANINGS: Mapping[str, tuple[Collection[str], Callable[[Any], object]]] = {
    "a rule": (
        ("record", "expr", "labels"),
        lambda rule: rules({"groups": [{"name": "x", "rules": [rule]}]}),
    ),
    "rules": (("groups",), rules),
    "targets": (("targets", "labels"), lambda one: targets([one])),
    "Prometheus": (("global", "rule_files", "alerting", "scrape_configs"), prometheus),
    "Alertmanager": (("route", "receivers"), alertmanager),
    "the exporter": (Settings.model_fields, validate),
    "the chart": (yaml.safe_load((CHART / "values.yaml").read_text()), values_of_the_chart),
    "the role": (yaml.safe_load((ROLE / "defaults/main.yml").read_text()), variables_of_the_role),
}
"""What a YAML snippet is of: the keys that it may have, and who reads it."""


def yaml_(text: str) -> None:
    found = yaml.safe_load(text)
    for part in found if isinstance(found, list) else [found]:
        readers = [read for keys, read in MEANINGS.values() if part.keys() <= set(keys)]
        assert readers, f"nothing knows these keys: {sorted(part)}"
        readers[0](part)


def python(text: str) -> None:
    compile(text, "snippet", "exec")


READERS: Mapping[str, Callable[[str], object]] = {
    "": plain, "text": plain, "sh": shell, "bash": shell, "console": console, "yaml": yaml_,
    "json": json.loads, "promql": promql, "sql": sql, "mermaid": mermaid, "hcl": hcl, "ini": ini,
    "python": python,
}  # fmt: skip


@pytest.mark.parametrize(("language", "text"), SNIPPETS)
def test_it_is_read(language: str, text: str) -> None:
    assert language in READERS, "nothing reads this language: add a reader"
    READERS[language](text)


def test_a_mistake_is_found() -> None:
    for reader, wrong in (
        (shell, "if true"),
        (promql, "sum("),
        (json.loads, "{"),
        (python, "if"),
        (ini, "x"),
    ):
        with pytest.raises((AssertionError, ValueError, SyntaxError, configparser.Error)):
            reader(wrong)
    for wrong in (
        "- {targets: x}",
        "evidence: {token: x}",
        "serviceMonitor: {enable: true}",
        "route: {matcher: x}",
    ):
        with pytest.raises((AssertionError, ExporterError, jsonschema_rs.ValidationError)):
            yaml_(wrong)
    with pytest.raises(SystemExit):
        shell("magento-exporter gate --sometimes")


def test_no_fence_of_a_page_is_missed() -> None:
    fences = sum(len(re.findall(r"^ *```", page.read_text(), re.MULTILINE)) for page in HAVE_SNIPPETS)
    assert fences == 2 * len(SNIPPETS)


def test_every_page_is_among_them() -> None:
    assert {page.name for page in Path(ROOT / "docs").glob("*.md")} <= {page.name for page in PAGES}


WORDS = re.compile(
    r"`magento-exporter ([a-z][^`]*)`|^[^`$]*?#.*magento-exporter ((?:gate|grants|pack|deploy|setup)\b.*)$",
    re.MULTILINE,
)
NAMED_IN = [
    file
    for file in (*PAGES, *(ROOT / "runbooks").glob("*.md"), *sorted((ROOT / "deploy").rglob("*")))
    if file.is_file() and b"magento-exporter " in file.read_bytes()
]


def test_every_command_that_a_text_names_has_the_options_it_names() -> None:
    known = {
        name: set(parser._option_string_actions)
        for action in _parser()._actions
        if isinstance(action.choices, dict)
        for name, parser in action.choices.items()
    }
    for file in NAMED_IN:
        for quoted, commented in WORDS.findall(file.read_text()):
            command, *words = (quoted or commented).split()
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= known[command], f"{file}: {command} {words}"
