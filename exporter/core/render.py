"""Samples to bytes, in the two text formats of Prometheus, one block per family.

Blocks are kept per collector and joined per scrape, so a scrape renders only what has
changed. A family that two collectors yield (the queue metrics of MySQL and of
RabbitMQ) is written as one block: both formats want that.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from exporter.core.metrics import Metric, Sample
from exporter.errors import SpecError


class Format(StrEnum):
    """Exposition formats, by their Content-Type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


OPENMETRICS_END: Final = b"# EOF\n"


@dataclass(frozen=True, slots=True)
class Exposition:
    """The rendered samples of one run of a collector: family name to lines."""

    series: int
    dropped: int
    bodies: Mapping[str, bytes]
    metrics: Mapping[str, Metric]


EMPTY_EXPOSITION: Final = Exposition(0, 0, {}, {})


def render(samples: Iterable[Sample], *, limit: int) -> Exposition:
    """Sort, cap and render the samples of one run.

    Beyond ``limit`` the series that sort last are dropped, the same ones every
    time, and counted. Two samples of one series raise :exc:`~exporter.errors.SpecError`.
    """
    ordered = sorted(samples, key=lambda s: (s.metric.name, s.labels, s.suffix))
    for before, after in pairwise(ordered):
        if (before.metric.name, before.labels, before.suffix) == (
            after.metric.name,
            after.labels,
            after.suffix,
        ):
            raise SpecError(f"{after.metric.name}: series {after.labels} appears twice")
    kept = ordered[:limit]
    lines: dict[str, list[str]] = {}
    metrics: dict[str, Metric] = {}
    for sample in kept:
        lines.setdefault(sample.metric.name, []).append(_line(sample))
        metrics[sample.metric.name] = sample.metric
    # JSON can hold half a surrogate pair, which has no UTF-8
    bodies = {name: "".join(parts).encode(errors="replace") for name, parts in lines.items()}
    return Exposition(len(kept), len(ordered) - len(kept), bodies, metrics)


def join(expositions: Iterable[Exposition], wanted: Format) -> bytes:
    """Join what the collectors yielded into one exposition without its end mark, families in name order."""
    bodies: dict[str, list[bytes]] = {}
    metrics: dict[str, Metric] = {}
    for exposition in expositions:
        for name, body in exposition.bodies.items():
            bodies.setdefault(name, []).append(body)
            metrics[name] = exposition.metrics[name]
    parts: list[bytes] = []
    for name in sorted(bodies):
        parts.append(_header(metrics[name], wanted))
        parts.extend(bodies[name])
    return b"".join(parts)


def compress(body: bytes) -> bytes:
    """Gzip at level 1: a fifth of the time of the default level for a third more bytes."""
    return gzip.compress(body, compresslevel=1, mtime=0)


def _header(metric: Metric, wanted: Format) -> bytes:
    name = metric.family if wanted is Format.OPENMETRICS else metric.name
    text = metric.help.replace("\\", r"\\")
    if wanted is Format.OPENMETRICS:
        text = text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {metric.kind}\n".encode()


def _line(sample: Sample) -> str:
    name = sample.metric.name + sample.suffix
    if not sample.labels:
        return f"{name} {_number(sample.value)}\n"
    pairs = zip(sample.metric.labels, sample.labels, strict=True)
    inside = ",".join(f'{label}="{_escape(value)}"' for label, value in pairs)
    return f"{name}{{{inside}}} {_number(sample.value)}\n"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
