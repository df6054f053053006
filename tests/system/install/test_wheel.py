"""What the wheel holds, and that it works where nothing else of the repository is."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from exporter import __version__
from exporter.cli import main
from exporter.pack.material import PLACES
from sandbox.process import free_port
from tests.harness.limits import LONG
from tests.system.install.conftest import PROJECT, Installed, plain_environment

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import exporter
assert "site-packages" in exporter.__file__, exporter.__file__
names = [module.name for module in pkgutil.walk_packages(exporter.__path__, "exporter.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
forbidden = {"grafanalib", "pytest", "hypothesis", "pika", "sandbox", "dashboards", "alerts", "tests"}
print(len(names), sorted(forbidden & {name.split(".")[0] for name in sys.modules}))
"""


def test_the_wheel_holds_the_exporter_and_its_metadata_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    metadata = f"magento_observability-{__version__}.dist-info/"
    strangers = [name for name in names if not name.startswith(("exporter/", metadata))]
    assert strangers == []
    code = {name for name in names if name.endswith(".py")}
    assert code == {str(file.relative_to(PROJECT)) for file in (PROJECT / "exporter").rglob("*.py")}
    others = {name for name in names if name.startswith("exporter/") and name not in code}
    pages = {f"exporter/web/pages/{page.name}" for page in (PROJECT / "runbooks").glob("*.md")}
    assets = {str(file.relative_to(PROJECT)) for file in (PROJECT / "exporter/web/assets").iterdir()}
    pack = {
        f"exporter/pack/data/{file.relative_to(PROJECT)}"
        for source in (*PLACES, "deploy/systemd")
        for file in (PROJECT / source).rglob("*")
        if file.is_file() and "secrets" not in file.parts
    }
    assert others == {"exporter/py.typed", "exporter/core/holidays.txt", *assets, *pages, *pack}


def test_the_pack_of_the_wheel_is_that_of_the_repository(installed: Installed, tmp_path: Path) -> None:
    bases = ("--runbook-base", "https://run.example/runbooks", "--grafana-base", "https://g.example")
    there, here = tmp_path / "there", tmp_path / "here"
    outcome = installed.run("magento-exporter", "pack", "--out", str(there), *bases, cwd=tmp_path)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert main(["pack", "--out", str(here), *bases]) == 0
    written = {
        place: {str(f.relative_to(place)): f.read_text() for f in place.rglob("*") if f.is_file()}
        for place in (here, there)
    }
    assert written[there] == written[here]
    assert len(written[there]) > 25


def test_the_build_backend_is_pinned_to_what_the_lock_installs() -> None:
    (backend,) = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert re.fullmatch(r"hatchling==[0-9.]+", backend)
    assert f"{backend} " in (PROJECT / "requirements-dev.lock").read_text()
    assert backend in (PROJECT / "Dockerfile").read_text()


def test_pip_installs_the_file_with_the_versions_that_were_tested(wheel: Path, tmp_path: Path) -> None:
    constraints = (wheel.parent / "constraints.txt").read_text().splitlines()
    locked = re.findall(r"^[\w.-]+==\S+", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    assert [line.split(" ;")[0] for line in constraints] == locked
    python = tmp_path / "venv" / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", tmp_path / "venv"],
        [python, "-m", "pip", "install", "--quiet", "-c", wheel.parent / "constraints.txt", wheel],
        [python, "-m", "pip", "check"],
    ):
        done = subprocess.run(
            command, env=plain_environment(), capture_output=True, text=True, timeout=LONG, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    listed = [python, "-m", "pip", "list", "--format", "freeze"]
    frozen = subprocess.run(listed, capture_output=True, text=True, timeout=LONG, check=True).stdout
    found = {line.lower().replace("_", "-") for line in frozen.splitlines()}
    ours = {line for line in found if not line.startswith(("pip=", "setuptools="))}
    assert ours - {f"magento-observability=={__version__}"} <= {name.lower() for name in locked}
    assert len(ours) > 20


def test_the_command_says_its_version(installed: Installed) -> None:
    outcome = installed.run("magento-exporter", "--version")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (
        0,
        f"magento-exporter {__version__}\n",
        "",
    )


def test_every_module_imports_with_the_locked_packages_alone(installed: Installed) -> None:
    outcome = installed.run("python", "-W", "error", "-c", IMPORT_EVERYTHING)
    assert outcome.returncode == 0, outcome.stderr
    count, loaded = outcome.stdout.split(maxsplit=1)
    assert int(count) > 50
    assert loaded.strip() == "[]"
    assert installed.run("python", "-c", "import grafanalib").returncode == 1


@pytest.fixture
def address(installed: Installed, tmp_path: Path) -> Iterator[str]:
    port = free_port()
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [installed.bin / "magento-exporter", "serve", "--listen", f"127.0.0.1:{port}"],
            cwd=tmp_path,
            env=plain_environment(),
            stdout=output,
            stderr=output,
        )
        try:
            wait_healthy(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(LONG) == 0, log.read_text()


def wait_healthy(address: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if httpx.get(f"{address}/-/healthy", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            continue
    raise AssertionError(f"ended with {process.returncode} before it served")


def test_the_installed_exporter_serves_every_runbook(address: str) -> None:
    names = [page.stem for page in (PROJECT / "runbooks").glob("Magento*.md")]
    assert names
    with httpx.Client(base_url=address) as client:
        index = client.get("/runbooks/").text
        for name in names:
            page = client.get(f"/runbooks/{name}")
            assert page.status_code == 200
            assert f"<title>{name}</title>" in page.text
            assert f'"{name}"' in index
