"""The tutorial's commands, run as they stand: only the directories are others."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.harness.limits import LONG
from tests.system.install.conftest import PROJECT, SECRET, Installed, RealShop, plain_environment

BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(section: str) -> str:
    """Return the commands of one section of the tutorial as a shell script."""
    text = (PROJECT / "docs" / "tutorial.md").read_text()
    body = text.partition(f"\n### {section}")[2].partition("\n### ")[0]
    prompt = re.compile(r"^\$ ", re.MULTILINE)
    scripts = [code if kind == "sh" else prompt.sub("", code) for kind, code in BLOCK.findall(body)]
    assert scripts, section
    return "\n".join(scripts)


def test_from_a_user_of_its_own_to_a_report(
    real: RealShop, shop: Callable[[str], Path], installed: Installed, tmp_path: Path
) -> None:
    real.set_password(SECRET)
    real.run_cron()
    places = {
        "/etc/magento-exporter": str(tmp_path / "etc"),
        "/var/lib/magento-exporter": str(tmp_path / "lib"),
        "/var/www/html": str(shop(real.env_php("magento-2.4.8-edited"))),
    }
    client = tmp_path / "bin" / "mysql"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\nexec mariadb --socket={real.database.socket} --user=root "$@"\n')
    client.chmod(0o755)
    script = commands("A user of its own") + "\n" + commands("Check before you start")
    for there, here in places.items():
        script = script.replace(there, here)
    environment = plain_environment()
    outcome = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment
        | {
            "PATH": f"{client.parent}:{installed.bin}:{environment['PATH']}",
            # The sandbox's management API has a port of its own; everything else stands in env.php.
            "MAGENTO_EXPORTER_RABBITMQ__URL": real.broker.management_url,
        },
        capture_output=True,
        text=True,
        timeout=LONG,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "as magento_exporter@" in outcome.stdout
    assert re.search(r"database rights +what the collectors read, and nothing more", outcome.stdout)
    assert "ERROR" not in outcome.stdout
    assert (tmp_path / "etc" / "password").stat().st_mode & 0o077 == 0
