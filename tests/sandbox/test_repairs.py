"""The stand-ins of a shop's own programs end the fault that their command repairs, and no other."""

from pathlib import Path

import pytest

from sandbox import faults
from sandbox.repairs import REPAIRS, report


def test_every_repair_is_of_a_fault() -> None:
    assert set(REPAIRS) <= {fault.name for fault in faults.FAULTS}


def test_a_repair_ends_its_fault_alone(tmp_path: Path) -> None:
    faults.switch_on(tmp_path, "cron-stopped")
    faults.switch_on(tmp_path, "maintenance")
    assert (
        report(tmp_path, ["bin/magento", "cron:install"]) == "[bin/magento cron:install: ends cron-stopped]"
    )
    assert faults.switched_on(tmp_path) == {"maintenance"}


@pytest.mark.parametrize(
    "command", ["bin/magento cron:remove", "bin/magento cache:flush", "systemctl status redis"]
)
def test_another_command_ends_nothing(tmp_path: Path, command: str) -> None:
    for name in REPAIRS:
        faults.switch_on(tmp_path, name)
    assert report(tmp_path, command.split()) == f"[not in the sandbox: {command}]"
    assert faults.switched_on(tmp_path) == set(REPAIRS)


def test_the_repair_of_what_is_not_broken_ends_nothing(tmp_path: Path) -> None:
    assert "not in the sandbox" in report(tmp_path, ["bin/magento", "maintenance:disable"])
