"""What the Helm chart makes, run as processes: the exporter by its settings, the command of `helm test`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from sandbox.process import Process, free_port
from tests.harness.limits import LONG
from tests.system.install.conftest import PROJECT, SECRET, RealShop, plain_environment

HELM = PROJECT / "build/helm/helm"
NAME = "shop-magento-exporter"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HELM.exists(), reason="scripts/check_helm.py has not brought Helm here"),
]


def rendered(real: RealShop) -> dict[str, Any]:
    """Return the chart's objects by kind, for this shop's database."""
    values = {
        "settings.database.host": real.database.host,
        "settings.database.port": real.database.port,
        "settings.database.name": "magento",
        "settings.database.prefix": "m2_",
        "settings.database.user": "shop",
        "secrets.existingSecret": "shop",
        "secrets.bearerTokenKey": "token",
    }
    given = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    done = subprocess.run(
        [HELM, "template", "shop", PROJECT / "deploy/helm/magento-observability", *given],
        capture_output=True, text=True, timeout=LONG, check=True,
    )  # fmt: skip
    return {document["kind"]: document for document in yaml.safe_load_all(done.stdout) if document}


@pytest.fixture(params=[SECRET, "wrong"], ids=["login", "refused login"])
def pod(
    request: pytest.FixtureRequest, real: RealShop, tmp_path: Path
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """The exporter as the Deployment starts it, its volumes below a directory of the test."""
    real.set_password(SECRET)
    objects, port = rendered(real), free_port()
    places = {"/etc/magento-exporter": tmp_path / "etc", "/var/lib/magento-exporter": tmp_path / "lib"}
    (tmp_path / "lib").mkdir()
    secrets = tmp_path / "etc/secrets"
    secrets.mkdir(parents=True)
    (secrets / "database-password").write_text(request.param)
    (secrets / "token").write_text("token-of-the-test\n")

    def here(text: str) -> str:
        for place, directory in places.items():
            text = text.replace(place, str(directory))
        return text.replace("0.0.0.0:9816", f"127.0.0.1:{port}")

    (tmp_path / "etc/exporter.yml").write_text(here(objects["ConfigMap"]["data"]["exporter.yml"]))
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    program = Path(sys.executable).with_name("magento-exporter")
    process = Process("exporter", [program, *map(here, container["args"])], log=tmp_path / "log")
    process.start()
    process.wait_ready(lambda: answers(port))
    yield objects["Pod"], f"127.0.0.1:{port}", request.param
    process.stop()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/-/healthy").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def test_helm_test_passes_where_the_shop_answers(pod: tuple[dict[str, Any], str, str]) -> None:
    made, address, password = pod
    (container,) = made["spec"]["containers"]
    (token,) = container["env"]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "shop", "key": "token"}
    command = [word.replace(f"{NAME}:9816", address) for word in (*container["command"], *container["args"])]
    for value, passes in (("token-of-the-test\n", password == SECRET), ("another", False)):
        done = subprocess.run(
            command,
            env=plain_environment() | {token["name"]: value},
            capture_output=True, text=True, timeout=LONG, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) is passes, done.stderr
