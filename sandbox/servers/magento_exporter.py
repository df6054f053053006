"""The exporter this project is about, as a process of its own."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sandbox.paths import PROJECT
from sandbox.servers.exporters import Exporter


class MagentoExporter(Exporter):
    """`magento-exporter serve` with `settings`, as its configuration file has them, less the address.

    `module` is what Python runs instead of `exporter`, and the arguments before the exporter's own.
    """

    name = "magento-exporter"
    job = "magento"

    def __init__(
        self, directory: Path, *, settings: Mapping[str, Any], module: Sequence[str] = ("exporter",)
    ) -> None:
        super().__init__(directory)
        self.module = tuple(module)
        self.settings = settings
        self.file = self.directory / "exporter.yml"

    def prepare(self) -> None:
        """Write the configuration file, which has passwords in it."""
        web = {**self.settings.get("web", {}), "listen": self.address}
        self.file.touch(mode=0o600)
        self.file.write_text(yaml.safe_dump({**self.settings, "web": web}, sort_keys=False))

    def environment(self) -> Mapping[str, str]:
        """Return what lets Python find the project wherever the server's directory is."""
        return {
            "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        }

    def command(self) -> Sequence[str | Path]:
        """Return the command line."""
        return [sys.executable, "-m", *self.module, "serve", "--config", self.file]
