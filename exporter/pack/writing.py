"""Writing the pack into a directory, again and again, without touching what the user has changed there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from exporter.errors import UsageError
from exporter.files.reading import reason

RECORD: Final = "pack.json"
"""Says which files the pack wrote, and what stood in them."""
NEW: Final = ".new"


@dataclass(slots=True)
class Written:
    """What became of the files."""

    written: list[str] = field(default_factory=list)
    changed_by_user: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def write(files: Mapping[str, str], directory: Path) -> Written:
    """Write the files, remove those of an earlier pack that are gone, and put beside what the user changed.

    A file that the user has changed stays; the new one stands beside it as ``<name>.new``.
    """
    try:
        before = _record(directory / RECORD)
        outcome = Written()
        for path, text in files.items():
            _write(path, text, directory, before, outcome)
        for path in before.keys() - files.keys():
            _remove(path, directory, before, outcome)
        record = {path: _digest(text) for path, text in files.items()}
        _put(directory / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        raise UsageError(f"{directory}: {reason(error)}") from None
    return outcome


def _write(path: str, text: str, directory: Path, before: Mapping[str, str], outcome: Written) -> None:
    target = directory / path
    new = target.with_name(target.name + NEW)
    there = _digest_of(target)
    if there in {None, before.get(path), _digest(text)}:
        _put(target, text)
        new.unlink(missing_ok=True)
        outcome.written.append(path)
    else:
        _put(new, text)
        outcome.changed_by_user.append(path)


def _remove(path: str, directory: Path, before: Mapping[str, str], outcome: Written) -> None:
    target = directory / path
    if _digest_of(target) == before[path]:
        target.unlink()
        outcome.removed.append(path)


def _put(target: Path, text: str) -> None:
    """Write by renaming: Prometheus reads its files at any moment."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(target)


def _record(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        raise UsageError(f"{file}: not written by magento-exporter pack; remove it") from None
    if not isinstance(found, dict) or any(Path(path).is_absolute() or ".." in path for path in found):
        raise UsageError(f"{file}: not written by magento-exporter pack; remove it")
    return {str(path): str(digest) for path, digest in found.items()}


def _digest_of(file: Path) -> str | None:
    return sha256(file.read_bytes()).hexdigest() if file.exists() else None


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
