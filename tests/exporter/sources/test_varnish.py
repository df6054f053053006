"""What varnishstat prints, in the forms of its versions, and the names of instances."""

from __future__ import annotations

import json

import pytest

from exporter.errors import UnexpectedAnswer
from exporter.sources.varnish import VarnishInstance, Varnishstat, parse

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
