"""Reading ``Accept`` and ``Accept-Encoding`` as RFC 9110 means them."""

from __future__ import annotations

from typing import Final

from exporter.core.render import Format

_OPENMETRICS: Final = "application/openmetrics-text"
_KNOWN_VERSIONS: Final = ("", "0.0.1", "1.0.0")
_TEXT_NAMES: Final = ("text/plain", "text/*", "*/*")


def exposition_format(accept: str) -> Format:
    """Return OpenMetrics if the client prefers it in a version that we know, else the text format."""
    best, best_text = 0.0, 0.0
    for name, parameters in _ranges(accept):
        quality = _quality(parameters)
        if name == _OPENMETRICS and parameters.get("version", "") in _KNOWN_VERSIONS:
            best = max(best, quality)
        elif name in _TEXT_NAMES:
            best_text = max(best_text, quality)
    return Format.OPENMETRICS if best > 0 and best >= best_text else Format.TEXT


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a gzip body is welcome."""
    qualities = {name: _quality(parameters) for name, parameters in _ranges(accept_encoding)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _ranges(header: str) -> list[tuple[str, dict[str, str]]]:
    ranges = []
    for item in header.split(","):
        name, *rest = (part.strip() for part in item.split(";"))
        parameters = {}
        for part in rest:
            key, _, value = part.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        if name:
            ranges.append((name.lower(), parameters))
    return ranges


def _quality(parameters: dict[str, str]) -> float:
    try:
        return min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        return 0.0
