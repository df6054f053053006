"""Every snippet of every page is read by what would read it: a shell, a parser, promtool, our own program."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from exporter.cli import _parser
from tests.docs.test_docs import PAGES, ROOT
from tests.harness.limits import LONG

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SNIPPETS = [
    pytest.param(language, text, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, (_, language, text) in enumerate(BLOCK.findall(page.read_text()), 1)
]
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
    done = subprocess.run(
        ["bash", "-n"], input=text, capture_output=True, text=True, timeout=LONG, check=False
    )
    assert done.returncode == 0, done.stderr
    for line in text.replace("\\\n", " ").splitlines():
        for found in OURS.findall(line):
            words = shlex.split(re.split(r" [|>;&]|\)", found)[0], comments=True)
            if not OPEN.search(found):
                _parser().parse_args(words)


def console(text: str) -> None:
    typed = commands(text)
    assert typed, "a console shows what is typed, after a prompt"
    shell(typed)


def promql(text: str) -> None:
    rule = {"groups": [{"name": "x", "rules": [{"record": "x:y", "expr": text}]}]}
    done = subprocess.run(
        ["promtool", "check", "rules", "/dev/stdin"],
        input=json.dumps(rule), capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


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


def yaml_(text: str) -> None:
    assert list(yaml.safe_load_all(text))


def python(text: str) -> None:
    compile(text, "snippet", "exec")


READERS: Mapping[str, Callable[[str], object]] = {
    "": plain, "text": plain, "sh": shell, "console": console, "yaml": yaml_, "json": json.loads,
    "promql": promql, "sql": sql, "mermaid": mermaid, "hcl": hcl, "ini": ini, "python": python,
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
    with pytest.raises(SystemExit):
        shell("magento-exporter gate --sometimes")


def test_every_page_is_among_them() -> None:
    assert {page.name for page in Path(ROOT / "docs").glob("*.md")} <= {page.name for page in PAGES}
