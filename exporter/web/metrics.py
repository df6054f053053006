"""``/metrics``: one scrape, from request to bytes.

| request | answer |
|---|---|
| ``GET`` | 200, text 0.0.4 or OpenMetrics 1.0.0 by ``Accept``, gzip by ``Accept-Encoding`` |
| ``HEAD`` | the same headers; nothing is collected |
| ``?collect[]=name`` (repeatable) | only these collectors; an unknown name is 400 |

The answer is 200 whatever the state of the shop: what failed says so in
``magento_collector_success`` and ``magento_source_up``.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import time
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import __version__
from exporter.core.metrics import Metric, gauge
from exporter.core.render import OPENMETRICS_END, Exposition, Format, compress, join, render
from exporter.core.runner import CollectorState
from exporter.core.self_metrics import about_runner
from exporter.errors import REASONS
from exporter.web.app_state import AppState
from exporter.web.negotiation import accepts_gzip, exposition_format

log: Final = logging.getLogger("exporter.web")
router: Final = APIRouter()

TIMEOUT_HEADER: Final = "X-Prometheus-Scrape-Timeout-Seconds"
_SHORTEST_SCRAPE: Final = 0.1
"""Seconds that a scrape may take in any case, however short Prometheus' timeout is."""

_SELF_SERIES: Final = 100_000
"""Series of the exporter about itself at most: never reached, they follow the number of collectors."""

BUILD_INFO: Final = gauge(
    "magento_exporter_build_info", "Always 1; the exporter's version and its Python.", "version", "python"
)
SCRAPE_METRICS: Final[tuple[Metric, ...]] = (BUILD_INFO,)


@router.head("/metrics", include_in_schema=False)
async def head(request: Request) -> Response:
    """Answer the headers of a scrape without one."""
    wanted = exposition_format(request.headers.get("accept", ""))
    return Response(headers={"content-type": wanted.value, "vary": "Accept, Accept-Encoding"})


@router.get(
    "/metrics", response_class=PlainTextResponse, responses={400: {"description": "Unknown collector"}}
)
async def scrape(
    request: Request, collect: Annotated[list[str] | None, Query(alias="collect[]")] = None
) -> Response:
    """Return the metrics of every collector, or of those named."""
    app: AppState = request.app.state.exporter
    unknown = [name for name in collect or () if name not in app.runner.states and name not in app.off]
    if unknown:
        return PlainTextResponse("no such collector\n", status_code=400)
    names = (
        None if collect is None else [name for name in dict.fromkeys(collect) if name in app.runner.states]
    )
    states = await app.runner.scrape(names, deadline=deadline(request.headers.get(TIMEOUT_HEADER), app))
    wanted = exposition_format(request.headers.get("accept", ""))
    gzipped = accepts_gzip(request.headers.get("accept-encoding", ""))
    body = await asyncio.to_thread(_body, app, states, wanted, gzipped)
    headers = {"content-type": wanted.value, "vary": "Accept, Accept-Encoding"}
    if gzipped:
        headers["content-encoding"] = "gzip"
    return Response(body, headers=headers)


def deadline(header: str | None, app: AppState) -> float:
    """Return the seconds a scrape may take: our own cap, shortened by what Prometheus says it will wait."""
    if header is None:
        return app.scrape_seconds
    try:
        asked = float(header)
    except ValueError:
        log.debug("%s is not a number", TIMEOUT_HEADER)
        return app.scrape_seconds
    if not asked > 0:
        return app.scrape_seconds
    return max(_SHORTEST_SCRAPE, min(app.scrape_seconds, asked - app.offset_seconds))


def page(app: AppState, states: Sequence[CollectorState], wanted: Format) -> bytes:
    """Return the exposition of these states and of the exporter itself, with its end mark if it has one."""
    now = time.time()
    parts = [join([*(state.shown(now) for state in states), _about(app)], wanted), _process(wanted)]
    if wanted is Format.OPENMETRICS:
        parts.append(OPENMETRICS_END)
    return b"".join(parts)


def _body(app: AppState, states: Sequence[CollectorState], wanted: Format, gzipped: bool) -> bytes:  # noqa: FBT001
    body = page(app, states, wanted)
    return compress(body) if gzipped else body


def _about(app: AppState) -> Exposition:
    samples = [
        *about_runner(app.runner, off=app.off, reasons=REASONS),
        BUILD_INFO.sample(1, version=__version__, python=platform.python_version()),
    ]
    return render(samples, limit=_SELF_SERIES)


def _process(wanted: Format) -> bytes:
    """Return the process' own metrics by the client library."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    if wanted is Format.OPENMETRICS:
        return bytes(generate_openmetrics(registry)).removesuffix(OPENMETRICS_END)  # type: ignore[no-untyped-call]
    return bytes(generate_latest(registry))
