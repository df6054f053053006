"""Bundles outlive the process, are bounded, and outlive a state file that cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.core.memory import VolatileStore
from exporter.errors import StateUnavailable
from exporter.evidence.bundles import KEPT_SECONDS, MOST, Bundle, Bundles
from exporter.evidence.model import Finding
from exporter.sources.state import SQLiteState
from tests.harness.core import NOON


def bundle(at: float = NOON, number: int = 1, alert: str = "MagentoCronStopped", **labels: str) -> Bundle:
    findings = {
        "silent": Finding("silent", 930.0),
        "enabled": Finding("enabled", None, "env.php does not say"),
    }
    return Bundle(alert, labels, f"{number:016x}", at, at + 5, findings)


def test_a_bundle_outlives_the_process(tmp_path: Path) -> None:
    store = SQLiteState(tmp_path / "state")
    bundles = Bundles(store)
    bundles.write(bundles.keep(bundle(store="de"), NOON))
    store.close()
    store = SQLiteState(tmp_path / "state")
    assert Bundles(store).all() == [bundle(store="de")]
    store.close()


def test_the_newest_of_an_alert_and_its_labels() -> None:
    bundles = Bundles(VolatileStore())
    for at, number, labels in (
        (0, 1, {"store": "de"}),
        (1, 2, {"store": "de", "job": "magento"}),
        (2, 3, {}),
    ):
        bundles.keep(bundle(NOON + at, number, **labels), NOON)
    assert [one.started_at - NOON for one in bundles.all()] == [2, 1, 0]
    found = bundles.latest("MagentoCronStopped", {"store": "de"})
    assert found is not None
    assert found.fingerprint.endswith("2")
    assert bundles.latest("MagentoCronStopped", {"store": "fr"}) is None
    assert bundles.latest("MagentoOther", {}) is None


def test_only_so_many_are_kept_in_memory_and_on_disk() -> None:
    store = VolatileStore()
    bundles = Bundles(store)
    for number in range(MOST + 10):
        bundles.write(bundles.keep(bundle(NOON + number, number), NOON))
    assert len(bundles.all()) == len(Bundles(store).all()) == MOST
    assert bundles.all()[-1].started_at == NOON + 10


def test_an_old_one_goes() -> None:
    store = VolatileStore()
    bundles = Bundles(store)
    bundles.write(bundles.keep(bundle(NOON, 1), NOON))
    bundles.write(bundles.keep(bundle(NOON + 5, 2), NOON + KEPT_SECONDS + 1))
    assert [one.fingerprint[-1] for one in Bundles(store).all()] == ["2"]


class Full(VolatileStore):
    """A state file on a full disk."""

    def commit(self, changes: object) -> None:  # noqa: ARG002
        raise StateUnavailable("state file: database or disk is full")


def test_a_full_disk_leaves_the_bundles_in_memory_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    bundles = Bundles(Full())
    for number in (1, 2):
        bundles.write(bundles.keep(bundle(NOON, number), NOON))
    assert len(bundles.all()) == 2
    assert bundles.trouble == "state file: database or disk is full"
    assert len(caplog.records) == 1
