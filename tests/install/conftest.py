"""The wheel as a user gets it, built once and installed into a virtual environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


@dataclass(frozen=True)
class Installed:
    wheel: Path
    bin: Path

    def run(
        self, *command: str, cwd: Path | None = None, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment away from the repository, as a user would."""
        return subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=cwd or self.bin,
            env=plain_environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def plain_environment() -> dict[str, str]:
    """Return the environment without what would lead Python or the exporter elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAGENTO_", "PYTHON", "VIRTUAL_ENV"))
    }


def uv(*arguments: str | Path) -> None:
    outcome = subprocess.run([UV, *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=300)  # noqa: PLW1510
    assert outcome.returncode == 0, outcome.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the pinned backend that the lock installed, so nothing is fetched."""
    directory = tmp_path_factory.mktemp("wheel")
    uv(
        "build",
        "--quiet",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "-o",
        directory,
        ".",
    )
    (built,) = directory.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel and what requirements.lock names, and nothing else; files come from uv's cache if there."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    uv("venv", "--quiet", "--python", sys.executable, home)
    python = home / "bin" / "python"
    install = ("pip", "install", "--quiet", "--python", python)
    uv(*install, "--no-deps", "--require-hashes", "-r", "requirements.lock")
    uv(*install, "--no-deps", wheel)
    return Installed(wheel, home / "bin")
