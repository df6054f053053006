"""`magento-exporter setup` on a real database: done once, again, as another user, and taken back."""

from __future__ import annotations

import grp
import json
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sandbox.process import free_port
from tests.harness.limits import LONG
from tests.system.install.conftest import SECRET, Installed, RealShop, plain_environment

USER = "magento-exporter-test"
DATABASE_USER = "exporter_of_setup"
MASKED = "IDENTIFIED BY ..."


@dataclass(frozen=True)
class Machine:
    """A shop whose env.php only a group can read, and the places that setup writes to."""

    home: Path
    real: RealShop
    installed: Installed
    port: int

    @property
    def config(self) -> Path:
        return self.home / "etc"

    def setup(self, *more: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        admin = f"mariadb --socket={self.real.database.socket} --user=root"
        places = {"config-dir": self.config, "state-dir": self.home / "lib", "unit-dir": self.home / "units"}
        return subprocess.run(
            [
                *(self.installed.bin / "magento-exporter", "setup", "--magento-root", self.home / "shop"),
                *("--run-as", USER, "--database-user", DATABASE_USER, "--admin", admin),
                *("--listen", f"127.0.0.1:{self.port}", "--shop", "shop.example"),
                *(f"--{name}={place}" for name, place in places.items()),
                # The sandbox's management API has a port of its own; everything else stands in env.php.
                *("--set", f"rabbitmq.url={self.real.broker.management_url}"),
                *more,
            ],
            input=given,
            env=plain_environment(),
            capture_output=True,
            text=True,
            timeout=LONG,
            check=False,
        )

    def database_users(self) -> list[str]:
        found = self.real.database.execute("SELECT User FROM mysql.user WHERE User = %s", [DATABASE_USER])
        return [str(user) for (user,) in found]


@pytest.fixture
def machine(real: RealShop, installed: Installed, public: Path) -> Iterator[Machine]:
    real.set_password(SECRET)
    real.run_cron()
    home = public / "machine"
    env_php = home / "shop/app/etc/env.php"
    env_php.parent.mkdir(parents=True)
    text = real.env_php("magento-2.4.8-edited")
    env_php.write_text(text)
    shutil.chown(env_php, group="www-data")
    env_php.chmod(0o640)
    yield Machine(home, real, installed, free_port())
    if USER in {user.pw_name for user in pwd.getpwall()}:
        subprocess.run(["userdel", USER], check=True)
    real.database.execute(f"DROP USER IF EXISTS {DATABASE_USER}")
    shutil.rmtree(home)


def test_from_nothing_to_a_report_again_and_back(machine: Machine) -> None:
    first = machine.setup("--yes")
    assert first.returncode == 0, first.stdout + first.stderr
    # Who serves is a user of its own, which reaches env.php by a group; the doctor ran as that user.
    assert f"doctor, as {USER}:" in first.stdout
    assert f"as {DATABASE_USER}@" in first.stdout
    assert "what the collectors read, and nothing more" in first.stdout
    assert pwd.getpwnam(USER).pw_shell == "/usr/sbin/nologin"
    # The statements are shown, but not the password.
    password = (machine.config / "password").read_text().strip()
    assert MASKED in first.stdout
    assert "GRANT SELECT" in first.stdout
    assert password not in first.stdout + first.stderr
    assert (machine.config / "password").stat().st_mode & 0o777 == 0o640
    assert grp.getgrgid((machine.config / "password").stat().st_gid).gr_name == USER
    # What it prints can be pasted into prometheus.yml.
    printed = first.stdout[first.stdout.index("scrape_configs:") :].split("\n\n")[0]
    (job,) = yaml.safe_load(printed)["scrape_configs"]
    assert job["job_name"] == "magento"
    assert job["static_configs"] == [
        {"targets": [f"127.0.0.1:{machine.port}"], "labels": {"shop": "shop.example"}}
    ]

    before = {file: file.read_bytes() for file in machine.config.iterdir()}
    again = machine.setup()  # nobody need agree to anything
    assert again.returncode == 0, again.stdout + again.stderr
    assert "done:" not in again.stdout
    assert {file: file.read_bytes() for file in machine.config.iterdir()} == before

    back = machine.setup("--undo", "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    assert not machine.config.exists()
    assert not (machine.home / "lib").exists()
    assert machine.database_users() == []
    assert USER not in {user.pw_name for user in pwd.getpwall()}
    assert machine.setup("--undo", "--yes").stdout == "There is nothing to undo.\n"


def test_a_database_user_that_was_there_before_is_not_dropped(machine: Machine) -> None:
    machine.real.database.execute(f"CREATE USER {DATABASE_USER} IDENTIFIED BY 'old'")
    assert machine.setup("--yes").returncode == 0
    assert machine.setup("--yes").returncode == 0
    back = machine.setup("--undo", "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    assert "kept: database user, which was there before" in back.stdout
    assert machine.database_users() == [DATABASE_USER]
    assert not machine.config.exists()


def test_nothing_is_done_without_an_answer(machine: Machine) -> None:
    outcome = machine.setup(given="")
    assert outcome.returncode == 2
    assert "agree with --yes" in outcome.stderr
    assert not machine.config.exists()
    assert machine.database_users() == []


def test_what_failed_half_way_is_mended_by_running_it_again(machine: Machine) -> None:
    failed = machine.setup("--yes", "--admin", "false")
    assert failed.returncode == 2
    assert failed.stderr == "magento-exporter: false: exit code 1\n"
    done = json.loads((machine.config / "setup.json").read_text())["done"]
    assert not {"database user", "settings"} & set(done)
    assert machine.setup("--yes").returncode == 0
    # Somebody took a right away, and the settings were changed by hand.
    machine.real.database.execute(f"REVOKE SELECT (status) ON magento.m2_cron_schedule FROM {DATABASE_USER}")
    settings = machine.config / "exporter.yml"
    settings.write_text("mine: 1\n")
    mended = machine.setup("--yes")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "done: database user" in mended.stdout
    assert "done: settings" in mended.stdout
    assert Path(f"{settings}.before-setup").read_text() == "mine: 1\n"


def test_a_user_that_may_not_read_the_shop_stops_before_the_service(machine: Machine) -> None:
    env_php = machine.home / "shop/app/etc/env.php"
    shutil.chown(env_php, group="root")
    outcome = machine.setup("--yes")
    assert outcome.returncode != 0
    assert "Permission denied" in outcome.stdout + outcome.stderr
    assert "scrape_configs" not in outcome.stdout
