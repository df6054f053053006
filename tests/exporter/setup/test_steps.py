"""The parts of `magento-exporter setup` that need no server: what is found, and the unit that is written."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.setup import command, programs, steps
from exporter.setup.programs import Done, Identity
from exporter.setup.shop import groups_to_read, shops
from exporter.setup.steps import Service
from exporter.setup.wanted import Wanted

SERVICE = "magento-exporter"


def a_shop(place: Path) -> Path:
    (place / "app/etc").mkdir(parents=True)
    (place / "app/etc/env.php").write_text("<?php return [];")
    return place


def wanted(
    tmp_path: Path, *, root: str = "/var/www/html", groups: tuple[str, ...] = (), **more: str
) -> Wanted:
    return Wanted(
        magento_root=Path(root),
        config=Path(more.get("config", "/etc/magento-exporter")),
        state=Path(more.get("state", "/var/lib/magento-exporter")),
        unit=tmp_path / "units",
        listen=more.get("listen", "127.0.0.1:9816"),
        identity=Identity("daemon", groups),
        database_user="magento_exporter",
        from_host="%",
        admin=("mariadb",),
        program=("/opt/pipx/bin/magento-exporter",),
    )


def test_shops_are_found_where_they_usually_are_and_each_once(tmp_path: Path) -> None:
    found = [a_shop(tmp_path / place) for place in ("var/www/html", "srv/a", "home/me/public_html")]
    a_shop(tmp_path / "elsewhere")
    (tmp_path / "var/www/link").symlink_to(tmp_path / "var/www/html")
    assert shops(tmp_path) == sorted(found)


def test_a_group_is_needed_where_others_may_not_read(tmp_path: Path) -> None:
    shop = a_shop(tmp_path / "shop")
    file = shop / "app/etc/env.php"
    shutil.chown(file, group="www-data")
    file.chmod(0o640)
    assert "www-data" in groups_to_read(shop)
    file.chmod(0o644)
    assert "www-data" not in groups_to_read(shop)
    file.chmod(0o600)
    assert "www-data" not in groups_to_read(shop)
    file.chmod(0o644)
    shutil.chown(shop, group="mail")
    shop.chmod(0o750)
    assert "mail" in groups_to_read(shop)
    counters = tmp_path / "varnish/shop/_.vsm_mgt"
    counters.mkdir(parents=True, mode=0o750)
    shutil.chown(counters, group="games")
    assert "games" in groups_to_read(shop, tmp_path / "varnish")


def test_the_unit_is_the_shipped_one_for_this_machine(tmp_path: Path) -> None:
    text = Service(wanted(tmp_path, root="/home/shop/public", groups=("www-data", "varnish"))).text()
    lines = text.splitlines()
    assert {"User=daemon", "SupplementaryGroups=www-data", "SupplementaryGroups=varnish"} <= set(lines)
    assert "ProtectHome=read-only" in lines
    assert "DynamicUser=yes" not in lines
    assert any(line.startswith("ExecStart=/opt/pipx/bin/magento-exporter serve") for line in lines)
    shipped = (Path(__file__).parents[3] / "deploy/systemd/magento-exporter.service").read_text()
    hardening = [
        line for line in shipped.splitlines() if line.startswith(("Protect", "Restrict", "SystemCall"))
    ]
    assert set(hardening) - set(lines) == {"ProtectHome=yes"}


def test_the_unit_follows_other_directories(tmp_path: Path) -> None:
    text = Service(wanted(tmp_path, config="/srv/m/etc", state="/srv/m/state")).text()
    assert "--config /srv/m/etc/exporter.yml" in text
    assert "--state-file /srv/m/state/state" in text
    assert "LoadCredential=password:/srv/m/etc/password" in text
    assert "ReadWritePaths=/srv/m/state" in text
    assert "/etc/magento-exporter" not in text
    assert "ProtectHome=yes" in text


# A bare container has no systemd. scripts/check_systemd.sh installs it, and CI runs that.
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "magento-exporter"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = Service(wanted(tmp_path, groups=("www-data",), state="/srv/state")).text()
    unit = tmp_path / "magento-exporter.service"
    unit.write_text(text.replace("/opt/pipx/bin/magento-exporter", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_service_is_installed_started_and_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def must(program: Sequence[str], **_more: str) -> Done:
        asked.append(" ".join(program))
        return Done(0, "", "")

    monkeypatch.setattr(steps, "must", must)
    monkeypatch.setattr(steps, "has_systemd", lambda: True)
    service = Service(wanted(tmp_path))
    assert service.needed()
    service.do()
    assert not service.needed()
    service.undo()
    service.undo()
    assert asked == [
        "systemctl daemon-reload",
        f"systemctl enable {SERVICE}",
        f"systemctl restart {SERVICE}",
        f"systemctl disable --now {SERVICE}",
        "systemctl daemon-reload",
    ]
    assert not list((tmp_path / "units").iterdir())


def test_a_service_that_the_network_can_ask_wants_a_token(tmp_path: Path) -> None:
    open_ = wanted(tmp_path, listen="0.0.0.0:9816")
    assert [step.name for step in steps.steps(open_)].count("token for Prometheus") == 1
    assert "bearer_token_file: /etc/magento-exporter/token" in open_.text()
    assert open_.target == f"{platform.node()}:9816"
    assert open_.address == "http://127.0.0.1:9816"
    closed = wanted(tmp_path)
    assert "token" not in closed.text()
    assert closed.token_file is None


def test_a_secret_is_never_readable_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    chown = shutil.chown

    def watched(path: Path, **more: int) -> None:
        seen.append(path.stat().st_mode & 0o777)
        chown(path, **more)

    monkeypatch.setattr(shutil, "chown", watched)
    steps.put(tmp_path / "password", "x", group=os.getgid())
    assert seen == [0o600]
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("found", "said"),
    [([], "no shop is found here"), (["/a", "/b"], "several shops are here: /a, /b")],
)
def test_a_shop_that_cannot_be_found_is_asked_for(
    found: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "shops", lambda: [Path(place) for place in found])
    assert main(["setup", "--yes"]) == 2
    assert capsys.readouterr().err == f"magento-exporter: {said}; name one with --magento-root\n"


def test_only_an_administrator_sets_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["setup", "--yes"]) == 2
    assert "run it as root" in capsys.readouterr().err


def test_what_a_program_is_given_is_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGENTO_EXPORTER_DATABASE__PASSWORD", "planted")
    monkeypatch.setenv("DB_PASSWORD", "planted")
    assert "planted" not in programs.run(("env",)).output


def test_the_reason_of_a_failed_client_is_its_error_and_never_the_statement() -> None:
    said = (
        "--------------\nCREATE USER x IDENTIFIED BY 'planted'\n--------------\n\nERROR 1396 at line 1: x\n"
    )
    assert Done(1, "", said).reason() == "ERROR 1396 at line 1: x"


def test_a_program_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(programs.UsageError, match="no-such-program is not installed"):
        programs.run(("no-such-program",))
    assert programs.run(("sh", "-c", "echo a >&2; echo b >&2; exit 3")).reason() == "a"
    assert capsys.readouterr().out == ""
