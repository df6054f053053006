"""The pipelines of deploy/ci: every command in them is one that the program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from exporter.cli import _parser

SNIPPETS = Path(__file__).parents[3] / "deploy" / "ci"
FILES = sorted(SNIPPETS.iterdir())
COMMAND = re.compile(r"magento-exporter ((?:gate|deploy)(?:[^\n]|(?<=\\)\n|\n +--)*)")


def commands(file: Path) -> list[list[str]]:
    found = []
    for match in COMMAND.finditer(file.read_text()):
        text = match[1].replace("\\\n", " ").replace("\n", " ").partition("||")[0]
        found.append(shlex.split(text.strip().rstrip("'")))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_program_takes_every_command(file: Path) -> None:
    taken = [_parser().parse_args(arguments) for arguments in commands(file)]
    assert [options.command.__name__ for options in taken] == ["gate", "deploy", "deploy", "gate"]
    assert [getattr(options, "what", "") for options in taken] == ["", "start", "end", ""]
    assert taken[0].before
    assert taken[3].after
    assert taken[3].wait


def test_there_is_one_for_each_of_three_systems() -> None:
    assert [file.name for file in FILES] == ["Jenkinsfile", "github-action.yml", "gitlab-ci.yml"]
