"""The deployment collector on a real directory."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest

from exporter.collectors.deployment import (
    DEPLOY_ENDED,
    DEPLOY_STARTED,
    DEPLOYED,
    INFO,
    MAINTENANCE,
    PATCH_MISSING,
    QUEUE_CONNECTION,
    SUPPORT_ENDS,
    DeploymentCollector,
)
from exporter.core.metrics import Sample
from exporter.deploys import marker
from exporter.errors import SourceUnavailable, UnexpectedAnswer, UsageError
from exporter.files import following
from exporter.magento.deploy import MARK
from exporter.sources.env_php import ENV_PHP, EnvPhp
from exporter.sources.files import ShopFiles
from tests.harness.core import run

OF_THE_VERSION = (
    SUPPORT_ENDS.sample(datetime(2028, 6, 1, tzinfo=UTC).timestamp(), version="2.4.8-p1"),
    PATCH_MISSING.sample(1, version="2.4.8-p1"),
    QUEUE_CONNECTION.sample(1, connection="db"),
)


def shop_files(root: Path) -> ShopFiles:
    env_php = root / ENV_PHP
    return ShopFiles(root, EnvPhp(env_php, {}) if env_php.exists() else None)


def collect(root: Path, files: ShopFiles | None = None) -> list[Sample]:
    return run(DeploymentCollector(), files=files or shop_files(root))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("app/etc", "var", "pub/static"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "app/etc/env.php").write_text("<?php return ['MAGE_MODE' => 'production'];")
    write_lock(tmp_path, "magento/product-community-edition", "2.4.8-p1")
    return tmp_path


def write_lock(root: Path, name: str, version: str) -> None:
    packages = [{"name": "magento/framework", "version": "1"}, {"name": name, "version": version}]
    (root / "composer.lock").write_text(json.dumps({"packages": packages}))


def test_a_running_shop(root: Path) -> None:
    deployed = root / "pub/static/deployed_version.txt"
    deployed.write_text("1700000000")
    os.utime(deployed, (1_700_000_000, 1_700_000_000))
    assert collect(root) == [
        MAINTENANCE.sample(0),
        INFO.sample(1, version="2.4.8-p1", edition="community", mode="production"),
        *OF_THE_VERSION,
        DEPLOYED.sample(1_700_000_000),
    ]


def test_maintenance_is_seen_and_ends(root: Path) -> None:
    files = shop_files(root)
    flag = root / "var/.maintenance.flag"
    flag.touch()
    assert collect(root, files)[0] == MAINTENANCE.sample(1)
    flag.unlink()
    assert collect(root, files)[0] == MAINTENANCE.sample(0)


def test_an_upgrade_is_followed(root: Path) -> None:
    files = shop_files(root)
    collect(root, files)
    write_lock(root, "mage-os/product-community-edition", "2.3.0")
    os.utime(root / "composer.lock", (2_000_000_000, 2_000_000_000))
    assert INFO.sample(1, version="2.3.0", edition="mage-os", mode="production") in collect(root, files)


def test_what_is_not_there_is_empty_not_wrong(tmp_path: Path) -> None:
    assert collect(tmp_path) == [MAINTENANCE.sample(0), INFO.sample(1, version="", edition="", mode="")]


def test_a_directory_that_is_gone_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        collect(tmp_path / "unmounted")


@pytest.mark.parametrize("text", ["{", "[]", '{"packages": 1}', '{"packages": [1]}'])
def test_a_broken_lock_file_is_our_error(root: Path, text: str) -> None:
    (root / "composer.lock").write_text(text)
    with pytest.raises(UnexpectedAnswer):
        collect(root)


def test_an_env_php_that_is_being_written_hides_neither_mode_nor_maintenance(root: Path) -> None:
    files = shop_files(root)
    (root / ENV_PHP).write_text("<?php return [")
    (root / "var/.maintenance.flag").touch()
    assert collect(root, files) == [
        MAINTENANCE.sample(1),
        INFO.sample(1, version="2.4.8-p1", edition="community", mode="production"),
        *OF_THE_VERSION,
    ]


def test_a_marked_deployment_is_a_series_from_its_start(root: Path) -> None:
    marker.start(root, "v1.2", now=1_700_000_000)
    assert collect(root)[-1] == DEPLOY_STARTED.sample(1_700_000_000, release="v1.2")
    marker.end(root, "v1.2", now=1_700_000_600)
    assert collect(root)[-2:] == [
        DEPLOY_STARTED.sample(1_700_000_000, release="v1.2"),
        DEPLOY_ENDED.sample(1_700_000_600, release="v1.2"),
    ]
    marker.start(root, "v1.3", now=1_700_001_000)
    assert collect(root)[-1] == DEPLOY_STARTED.sample(1_700_001_000, release="v1.3")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"release": "a", "started": 1}',
        '{"release": "a b", "started": 1, "ended": null}',
        '{"release": "a", "started": NaN, "ended": null}',
        '{"release": "a", "started": true, "ended": "now"}',
        '{"release": "a", "started": 1, "ended": 1' + " " * 4096 + "}",
    ],
)
def test_a_mark_that_is_none_hides_neither_mode_nor_maintenance(root: Path, text: str) -> None:
    (root / MARK).write_text(text)
    with pytest.raises(UnexpectedAnswer, match="magento-exporter-deploy"):
        collect(root)
    with pytest.raises(UsageError):
        marker.end(root, "a", now=1)


@pytest.mark.parametrize("marked", [False, True])
def test_while_no_descriptor_is_free_what_is_known_stays_known(
    root: Path, monkeypatch: pytest.MonkeyPatch, marked: bool
) -> None:
    if marked:
        marker.start(root, "v1.2", now=1_700_000_000)
    monkeypatch.setattr(following, "_TICK_NS", -1)  # the files were written just now
    files, another = shop_files(root), shop_files(root)
    known = collect(root, files)
    none_free = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    monkeypatch.setattr(os, "open", Mock(side_effect=none_free))
    assert collect(root, files) == known
    with pytest.raises(SourceUnavailable, match="Too many open files"):
        collect(root, another)
