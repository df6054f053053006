"""Writing the groups: one file for each job, replaced as a whole, and never one that a person wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from exporter.errors import TargetsError
from exporter.files.reading import read_bytes, reason

MARK: Final = "# Written by magento-exporter targets; it writes this file anew each time.\n"


def text(groups: Sequence[Mapping[str, Any]], remarks: Iterable[str] = ()) -> str:
    """Return a file's text: the mark, the remarks as comments, and the groups."""
    said = "".join(f"# {remark}\n" for remark in remarks)
    return MARK + said + yaml.safe_dump(list(map(dict, groups)), sort_keys=False, width=1000)


def write(directory: Path, files: Mapping[str, str]) -> Iterable[str]:
    """Write what changed and return the names; raise :exc:`TargetsError` rather than replace another's file.

    All files are looked at before the first is written.
    """
    changed = [name for name, content in files.items() if _differs(directory / name, content)]
    for name in changed:
        half = directory / f".{name}.incomplete"
        try:
            half.write_text(files[name], encoding="utf-8")
            half.replace(directory / name)
        except OSError as error:
            raise TargetsError(f"{directory / name}: {reason(error)}") from None
    return changed


def _differs(file: Path, content: str) -> bool:
    try:
        known = read_bytes(file).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return True
    except OSError as error:
        raise TargetsError(f"{file}: {reason(error)}") from None
    if known.strip() and not known.startswith(MARK):
        raise TargetsError(f"{file} was written by hand: move it, or name another directory")
    return known != content
