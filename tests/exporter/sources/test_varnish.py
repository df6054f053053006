"""What varnishstat prints, in the forms of its versions, and the names of instances."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.errors import AccessDenied, SourceUnavailable, UnexpectedAnswer
from exporter.sources.varnish import VarnishInstance, Varnishstat, hidden, parse

COUNTERS = {
    "MAIN.uptime": {"description": "Child process uptime", "flag": "c", "format": "d", "value": 12},
    "VBE.boot.default.happy": {"flag": "b", "format": "b", "value": 18446744073709551615},
}


@pytest.mark.parametrize(
    "document",
    [
        {"version": 1, "timestamp": "2026-01-01T00:00:00", "counters": COUNTERS},
        {"timestamp": "2026-01-01T00:00:00", **COUNTERS},
    ],
    ids=["6.5 and later", "before 6.5"],
)
def test_both_forms(document: dict[str, object]) -> None:
    assert parse(json.dumps(document)) == {"MAIN.uptime": 12, "VBE.boot.default.happy": 2**64 - 1}


@pytest.mark.parametrize(
    "output", ["", "no JSON", "[]", "3", '{"counters": 5}', '{"MAIN.x": {"value": "much"}}']
)
def test_anything_else_is_bad_data(output: str) -> None:
    with pytest.raises(UnexpectedAnswer):
        parse(output)


@pytest.mark.parametrize(
    ("directory", "name"), [("", "default"), ("edge1", "edge1"), ("/var/lib/varnish/edge2", "edge2")]
)
def test_an_instance_is_named_after_its_directory(directory: str, name: str) -> None:
    assert VarnishInstance.of(directory).name == name


def test_equal_names_are_told_apart() -> None:
    instances = [VarnishInstance.of(directory) for directory in ("/a/varnish", "/b/varnish", "/c/edge")]
    assert [instance.name for instance in Varnishstat(instances)._instances] == [
        "/a/varnish",
        "/b/varnish",
        "edge",
    ]


NOBODY = 65534
PROCESSES = ("_.vsm_mgt", "_.vsm_child")
"""What the manager and the worker share; Varnish 7.1 opens only the manager's to everybody."""


@pytest.fixture
def working_directory() -> Iterator[Path]:
    """As a running Varnish leaves it, below directories that everybody may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own is closed to others
        directory = Path(name)
        directory.chmod(0o755)
        for process in PROCESSES:
            (directory / process).mkdir()
            (directory / process / "_.index").touch()
        yield directory


def refusing(directory: Path) -> Varnishstat:
    """Return a varnishstat that says what the real one says of a Varnish that it cannot find."""
    program = directory / "varnishstat"
    program.write_text("#!/bin/sh\necho 'Could not get hold of varnishd, is it running?' >&2\nexit 1\n")
    program.chmod(0o755)
    return Varnishstat([VarnishInstance("edge", str(directory))], program=str(program))


def test_a_varnish_that_is_not_there_is_down(working_directory: Path) -> None:
    with pytest.raises(SourceUnavailable, match="Could not get hold of varnishd"):
        refusing(working_directory).counters()


# Whoever is not root cannot become a user without rights to the files. CI runs as root.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
@pytest.mark.parametrize("closed", PROCESSES)
def test_counters_that_may_not_be_read_do_not_say_that_varnish_is_down(
    closed: str, working_directory: Path
) -> None:
    varnish = refusing(working_directory)
    (working_directory / closed).chmod(0o700)
    os.seteuid(NOBODY)
    try:
        assert hidden(str(working_directory))
        with pytest.raises(AccessDenied, match="may not read"):
            varnish.counters()
    finally:
        os.seteuid(0)


def test_a_directory_that_is_gone_is_not_hidden(tmp_path: Path) -> None:
    assert not hidden(str(tmp_path / "gone"))
