"""What the doctor says of the version, and of what it does not do of env.php."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from exporter.backends import Backends
from exporter.doctor import connections, release
from exporter.doctor.examination import Finding
from exporter.sources.env_php import EnvPhp
from exporter.sources.files import ShopFiles
from tests.exporter.doctor.test_examination import examination
from tests.harness.core import FakeDatabase

REDIS = r"Magento\\Framework\\Cache\\Backend\\Redis"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app/etc").mkdir(parents=True)
    return tmp_path


def found(root: Path, env_php: str, version: str = "", *, name: str = "", **backends: Any) -> list[Finding]:
    (root / "app/etc/env.php").write_text(f"<?php return [{env_php}];")
    product = name or "magento/product-community-edition"
    packages = [{"name": product, "version": version}] if version else []
    (root / "composer.lock").write_text(json.dumps({"packages": packages}))
    settings = EnvPhp(root / "app/etc/env.php", {})
    opened = Backends(files=ShopFiles(root, settings), env_php=settings, **backends)
    return list(release.check(examination(backends=opened)))


def said(findings: list[Finding], check: str) -> list[tuple[str, str]]:
    return [(each.status, each.seen) for each in findings if each.check == check]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.4.9", ("ok", "community 2.4.9; standard support ends on 2029-05-31")),
        ("2.4.5-p16", ("warning", "community 2.4.5-p16; standard support ended on 2025-08-12")),
        ("2.5.0", ("ok", "community 2.5.0; until when it is supported is not known here")),
    ],
)
def test_support_is_named(root: Path, version: str, expected: tuple[str, str]) -> None:
    assert said(found(root, "", version), "version") == [expected]


def test_a_newer_patch_is_named(root: Path) -> None:
    assert said(found(root, "", "2.4.8-p4"), "patch") == [
        ("note", "2.4.8-p5 is newer and has security fixes")
    ]
    assert said(found(root, "", "2.4.8-p5"), "patch") == []


CLASSES = f"'cache' => ['frontend' => ['default' => ['backend' => '{REDIS}'], 'x' => ['backend' => 'redis']]]"


@pytest.mark.parametrize(
    ("version", "name", "named"),
    [
        ("2.4.9", "", True),
        ("2.4.8-p5", "", False),
        ("3.0.0", "mage-os/product-community-edition", False),
        ("", "", False),
    ],
)
def test_a_class_name_means_files_from_2_4_9_on(root: Path, version: str, name: str, named: bool) -> None:
    findings = said(found(root, CLASSES, version, name=name), "cache backend")
    assert [status for status, _ in findings] == ["error"] * named
    assert all(seen.startswith("default: 2.4.9 does not know") for _, seen in findings)


@pytest.mark.parametrize(
    ("version", "named"), [("2.4.9", True), ("2.4.8-p1", True), ("2.4.9-p1", False), ("", True)]
)
def test_sessions_in_valkey_are_sessions_in_files(root: Path, version: str, named: bool) -> None:
    env_php = "'session' => ['save' => 'valkey', 'valkey' => ['host' => 'v']]"
    assert [status for status, _ in said(found(root, env_php, version), "sessions")] == ["warning"] * named
    assert said(found(root, "'session' => ['save' => 'redis']", version), "sessions") == []


STOMP = "'queue' => ['stomp' => ['host' => 'artemis']]"
BOTH = "'queue' => ['amqp' => ['host' => 'mq'], 'stomp' => ['host' => 'artemis']]"


@pytest.mark.parametrize(
    ("env_php", "backend", "expected"),
    [
        (STOMP, None, "stomp"),
        (STOMP, "artemis", None),
        (BOTH, "rabbitmq", "stomp"),
        ("'queue' => ['amqp' => ['host' => 'mq']]", "rabbitmq", None),
        ("'queue' => ['default_connection' => 'redismq']", None, "redismq"),
        ("", None, None),
    ],
)
def test_queues_that_are_not_observed(
    root: Path, env_php: str, backend: str | None, expected: str | None
) -> None:
    opened = {backend: cast("Any", object())} if backend else {}
    assert said(found(root, env_php, "2.4.9", **opened), "queues") == (
        [("warning", f"not observed: their default connection is {expected}")] if expected else []
    )


class Redis:
    """Two roles on servers of two kinds."""

    def info(self) -> dict[str, dict[str, object]]:
        common = {"database": 0, "maxmemory_policy": "noeviction"}
        old, new = {"redis_version": "6.0.1"}, {"redis_version": "7.2.4", "valkey_version": "8.1.3"}
        return {"cache": {**common, **old}, "session": {**common, **new}}


class Database(FakeDatabase):
    prefix = ""


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.4.8", [("mysql", "8.0"), ("redis", "6.0")]),
        ("2.4.7", [("redis", "6.0")]),
        ("2.4.3", []),
    ],
)
def test_a_version_that_is_not_supported_is_named(
    root: Path, version: str, expected: list[tuple[str, str]]
) -> None:
    server = {"version": "8.0.35-27", "account": "exporter@%", "zone": "UTC", "may_see_others": 0}
    database = Database({connections.SERVER.name: [server], connections.SEARCH.name: []})
    found(root, "", version)  # writes the files
    opened = Backends(files=ShopFiles(root, None), redis=cast("Any", Redis()), database=cast("Any", database))
    findings = list(connections.check(examination(backends=opened)))
    assert [
        (each.check.removesuffix(" version"), each.seen.split()[0])
        for each in findings
        if each.check.endswith(" version")
    ] == expected
    assert said(findings, "transactions")[0][0] == "note"
