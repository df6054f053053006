"""The Ansible role on this machine, above whose files a layer takes every change and is then thrown away.

So the root is clean, the machine is not changed, and what an uninstallation leaves is what the layer holds.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.process import free_port
from tests.system.install.conftest import PROJECT, SECRET, RealShop
from tests.system.install.layered import Root, root

pytestmark = pytest.mark.slow

ANSIBLE = PROJECT / "build" / "ansible" / "bin"
USER = "magento-exporter"
PLACES = (
    "etc/magento-exporter",
    "opt/magento-exporter",
    "var/lib/magento-exporter",
    "etc/systemd/system/magento-exporter.service",
    "etc/systemd/system/magento-exporter.service.d",
)


@pytest.fixture
def clean(public: Path, real: RealShop) -> Iterator[Root]:
    with root(public / "root", real.database.socket.parent) as made:
        yield made


@dataclass(frozen=True)
class Play:
    root: Root
    variables: dict[str, Any]

    def __call__(self, *more: str, **variables: object) -> int:
        """Run the playbook as it is shipped, and return how many tasks changed something."""
        done = self.root.run(
            *(ANSIBLE / "ansible-playbook", "-i", "shops,", "deploy/ansible/site.yml", "--connection=local"),
            *("--extra-vars", json.dumps(self.variables | variables), *more),
        )
        counts = re.search(r"changed=(\d+) .*failed=(\d+)", done.stdout)
        assert counts, done.stdout + done.stderr
        assert counts[2] == "0", done.stdout
        return int(counts[1])


@pytest.fixture
def play(clean: Root, real: RealShop, wheel: Path) -> Play:
    real.set_password(SECRET)
    real.run_cron()
    env_php = clean.tree / "srv/shop/app/etc/env.php"
    env_php.parent.mkdir(parents=True)
    env_php.write_text(real.env_php("magento-2.4.8-edited"))
    shutil.chown(env_php, group="www-data")
    env_php.chmod(0o640)
    carried = clean.tree / "srv/dist"
    shutil.copytree(wheel.parent, carried)
    prefix = "magento_exporter_"
    return Play(
        clean,
        {
            "ansible_become": False,
            "ansible_python_interpreter": "/usr/bin/python3",
            f"{prefix}wheel": f"/srv/dist/{wheel.name}",
            f"{prefix}constraints": "/srv/dist/constraints.txt",
            f"{prefix}magento_root": "/srv/shop",
            f"{prefix}groups": ["www-data"],
            f"{prefix}listen": f"127.0.0.1:{free_port()}",
            f"{prefix}apply_grants": True,
            f"{prefix}admin_command": f"mariadb --socket={real.database.socket} --user=root",
            # The sandbox's management API has a port of its own; everything else stands in env.php.
            f"{prefix}settings": {"rabbitmq": {"url": real.broker.management_url}},
        },
    )


def test_installed_again_and_taken_away(play: Play, real: RealShop) -> None:
    if not ANSIBLE.is_dir():
        # Ansible is no dependency of the project. The script that CI calls installs it, or says so.
        pytest.skip("scripts/check_ansible.sh installs Ansible and runs this")
    layer = play.root
    before = layer.left()
    assert play("--check") > 0
    assert layer.left() == before, "check mode has changed something"
    assert play() > 0
    assert play() == 0, "the second run has changed something"
    assert play("--check") == 0

    # What it made serves, as the user without rights.
    identity = layer.run("id", USER).stdout
    assert "www-data" in identity
    serving = layer.run(
        *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--groups=www-data", "--no-new-privs"),
        "/opt/magento-exporter/venv/bin/magento-exporter",
        *("doctor", "--config=/etc/magento-exporter/exporter.yml"),
    )
    assert serving.returncode == 0, serving.stdout + serving.stderr
    assert "what the collectors read, and nothing more" in serving.stdout
    verified = layer.run("systemd-analyze", "verify", "/etc/systemd/system/magento-exporter.service")
    if shutil.which("systemd-analyze"):
        assert verified.stderr == ""
    assert all((layer.tree / place).exists() for place in PLACES)
    assert (layer.tree / PLACES[0] / "password").stat().st_mode & 0o007 == 0

    assert play(magento_exporter_state="absent") > 0
    assert play(magento_exporter_state="absent") == 0
    assert layer.left() == before
    assert layer.run("id", USER).returncode != 0
    assert real.database.execute("SELECT User FROM mysql.user WHERE User = 'magento_exporter'") == ()
