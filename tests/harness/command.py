"""Run ``magento-exporter`` in this process: a process of its own imports for seconds before it begins."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest import mock

from exporter.cli import main


def command(*arguments: str, **environment: str) -> CompletedProcess[str]:
    """Return what a shell would see of one command: exit code and output, as text."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAGENTO_")}
    output, errors = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, {**clean, **environment}, clear=True),
        redirect_stdout(output),
        redirect_stderr(errors),
    ):
        try:
            code = main(arguments)
        except SystemExit as end:  # of argparse
            code = int(end.code or 0)
    return CompletedProcess(["magento-exporter", *arguments], code, output.getvalue(), errors.getvalue())
