"""The mark that a deployment leaves in the shop's directory, from which the exporter makes series.

Who deploys writes it, beside the flag of maintenance. It needs no network, and it outlives the silence.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from exporter.core.ports import Deploy
from exporter.errors import UsageError
from exporter.files.reading import read_bytes, reason
from exporter.magento.deploy import LARGEST, MARK, understood


def start(root: Path, release: str, *, now: float) -> None:
    """Mark that the deployment began; a mark that an earlier one left is replaced."""
    _write(root, Deploy(release, now, None))


def end(root: Path, release: str, *, now: float) -> None:
    """Mark its end; raises :exc:`UsageError` unless the deployment of this release was marked."""
    found = _read(root)
    if found is None or found.release != release:
        raise UsageError(f"{root / MARK} does not say that a deployment of {release} began")
    _write(root, Deploy(release, found.started, now))


def _read(root: Path) -> Deploy | None:
    try:
        return understood(read_bytes(root / MARK, limit=LARGEST))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{root / MARK}: {reason(error)}") from None
    except ValueError:
        raise UsageError(f"{root / MARK} cannot be understood") from None


def _write(root: Path, deploy: Deploy) -> None:
    """Write it for all to read, at once: the exporter never sees half of it."""
    target = root / MARK
    text = json.dumps({"release": deploy.release, "started": deploy.started, "ended": deploy.ended})
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                os.fchmod(file.fileno(), 0o644)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{target}: {reason(error)}") from None
