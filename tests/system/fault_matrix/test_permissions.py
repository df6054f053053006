"""Files that appear before they may be read, or may no longer be: by a process that permissions bind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import httpx
import pytest
import yaml

from sandbox.servers.magento_exporter import MagentoExporter
from tests.harness.limits import LONG

pytestmark = pytest.mark.slow

MOST_LINES = 3


def bound() -> Sequence[str]:
    """Return what makes a command subject to permissions, even if root runs the tests."""
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search") if os.geteuid() == 0 else ()


class Bound(MagentoExporter):
    """The exporter, without root's way around permissions."""

    def command(self) -> Sequence[str | Path]:
        return [*bound(), *super().command()]


@dataclass(frozen=True)
class Site:
    """A shop's directory, a web configuration and who reads them."""

    exporter: MagentoExporter
    root: Path
    web: Path

    def get(self, password: str) -> httpx.Response:
        return httpx.get(self.exporter.url, auth=("prometheus", password), timeout=LONG, trust_env=False)

    def page(self) -> str:
        for password in ("first", "second"):
            answer = self.get(password)
            if answer.status_code == 200:
                return answer.text
        raise AssertionError("nobody is let in")

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONG
        while not condition():
            assert time.monotonic() < deadline, self.exporter.process.last_log_lines()
            time.sleep(0.2)

    def lines(self) -> list[str]:
        said = self.exporter.log.read_text().splitlines()
        return [line for line in said if "level=warning" in line or "level=error" in line]

    def success(self) -> bool:
        return 'magento_collector_success{collector="deployment"} 1.0' in self.page()


def lock_of(version: str) -> str:
    return json.dumps({"packages": [{"name": "magento/product-community-edition", "version": version}]})


def web_with(password: str) -> str:
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    return yaml.safe_dump({"basic_auth_users": {"prometheus": hashed}})


def put(file: Path, content: str, mode: int) -> None:
    """Replace a file as deployments do: by a rename, with the mode that the new one has."""
    new = file.with_name(f"{file.name}.new")
    new.touch(mode=0o600)
    new.write_text(content)
    new.chmod(mode)
    new.replace(file)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    root, web = tmp_path / "root", tmp_path / "web.yml"
    for folder in ("app/etc", "var", "pub/static"):
        (root / folder).mkdir(parents=True)
    (root / "app/etc/env.php").write_text("<?php\nreturn ['MAGE_MODE' => 'production'];\n")
    (root / "composer.lock").write_text(lock_of("2.4.7"))
    web.write_text(web_with("first"))
    settings = {
        "magento_root": str(root),
        "web": {"config_file": str(web)},
        "collectors": {"only": ["deployment"]},
        "limits": {"minimum_refresh_seconds": 0},
    }
    (tmp_path / "exporter").mkdir()
    with Bound(tmp_path / "exporter", settings=settings) as exporter:
        made = Site(exporter, root, web)
        made.wait_for(lambda: 'version="2.4.7"' in made.page())
        yield made
        running = exporter.running
    assert running, exporter.process.last_log_lines()


def shows(site: Site, version: str) -> bool:
    return f'version="{version}"' in site.page()


@pytest.mark.parametrize("file", ["composer.lock", "app/etc/env.php"], ids=["composer.lock", "env.php"])
def test_a_shop_file_that_is_there_before_it_may_be_read(site: Site, file: str) -> None:
    """It is read as soon as it may be, though neither content nor time of change move then."""
    new = lock_of("2.4.8") if file == "composer.lock" else "<?php\nreturn ['MAGE_MODE' => 'developer'];\n"
    shown = 'version="2.4.8"' if file == "composer.lock" else 'mode="developer"'
    put(site.root / file, new, 0o000)
    for _ in range(3):
        assert shown not in site.page()
    (site.root / file).chmod(0o644)
    site.wait_for(lambda: shown in site.page() and site.success())
    assert 1 <= len(site.lines()) <= MOST_LINES, site.lines()


def test_a_shop_file_that_may_no_longer_be_read(site: Site) -> None:
    lock = site.root / "composer.lock"
    lock.chmod(0o000)
    site.wait_for(
        lambda: (
            'magento_collector_errors_total{collector="deployment",reason="denied"} 0.0' not in site.page()
        )
    )
    assert not site.success()
    assert any("composer.lock may not be read" in line for line in site.lines())
    lock.chmod(0o644)
    site.wait_for(site.success)
    assert len(site.lines()) <= MOST_LINES, site.lines()


def test_a_web_configuration_that_is_there_before_it_may_be_read(site: Site) -> None:
    """Until then the last good one is in force; from then on the revoked password is refused."""
    put(site.web, web_with("second"), 0o000)
    assert site.get("first").status_code == 200
    assert site.get("second").status_code == 401
    site.web.chmod(0o640)
    assert site.get("second").status_code == 200
    assert site.get("first").status_code == 401
    assert any("web configuration not taken over" in line for line in site.lines())
    assert len(site.lines()) <= MOST_LINES, site.lines()


@pytest.mark.parametrize("how", ["forbidden", "pipe", "no YAML"])
def test_a_web_configuration_that_cannot_be_used_any_more(site: Site, how: str) -> None:
    if how == "forbidden":
        site.web.chmod(0o000)
    elif how == "pipe":
        site.web.unlink()
        os.mkfifo(site.web)
    else:
        site.web.write_text("basic_auth_users: [")
    for _ in range(3):
        assert site.get("first").status_code == 200
        assert site.get("another").status_code == 401
    assert sum("web configuration not taken over" in line for line in site.lines()) == 1
    put(site.web, web_with("second"), 0o640)
    assert site.get("second").status_code == 200
    assert site.get("first").status_code == 401


@pytest.mark.parametrize("how", ["forbidden file", "forbidden folder"])
def test_a_read_only_state_file_is_one_line(tmp_path: Path, how: str) -> None:
    """At a start; one that is open is written whatever its mode is."""
    folder = tmp_path / "lib"
    folder.mkdir()
    file = folder / "state"
    file.touch()
    if how == "forbidden file":
        file.chmod(0o000)
    else:
        file = folder / "another"
        folder.chmod(0o500)
    settings = tmp_path / "exporter.yml"
    settings.write_text(yaml.safe_dump({"state_file": str(file), "web": {"listen": "127.0.0.1:0"}}))
    command = [*bound(), sys.executable, "-m", "exporter", "serve", "--config", str(settings)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG)
    assert run.returncode == 2, run.stderr
    assert len(run.stderr.strip().splitlines()) == 1, run.stderr
    assert f"state file {file}: " in run.stderr
