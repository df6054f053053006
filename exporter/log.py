"""Log lines to standard error, as logfmt or JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final

_LEVELS: Final = {
    "WARNING": "warning",
    "ERROR": "error",
    "INFO": "info",
    "DEBUG": "debug",
    "CRITICAL": "error",
}

MOST_A_MINUTE: Final = 30
"""Lines of one place in the code in a minute."""

_MINUTE: Final = 60.0


class Line(logging.Formatter):
    """One record as one line; a traceback is folded into it."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        fields = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": _LEVELS.get(record.levelname, record.levelname),
            "logger": record.name,
            "message": record.getMessage() + getattr(record, "left_out", ""),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        if self._json:
            return json.dumps(fields, ensure_ascii=False)
        return " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())


class Bounded(logging.Filter):
    """Limits the records of one place in the code: a client must not be able to fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._minute: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is logged; the last one of a minute says that others are left out."""
        place = (record.pathname, record.lineno)
        since, count = self._minute.get(place, (record.created, 0))
        if not 0 <= record.created - since < _MINUTE:
            since, count = record.created, 0
        self._minute[place] = since, count + 1
        if count + 1 == MOST_A_MINUTE:
            record.left_out = " (more lines like this are left out for a minute)"
        return count < MOST_A_MINUTE


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if set(value) & set(' ="\n') or not value else value


def set_up(*, level: str, form: str) -> None:
    """Send all log records of the process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line(form))
    handler.addFilter(Bounded())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "asyncio", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
