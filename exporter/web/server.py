"""Running the application on uvicorn, and ending well: exit 0 after SIGTERM, within a bound."""

from __future__ import annotations

import logging
import os
import signal
import ssl
from types import FrameType
from typing import Any, Final, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from exporter.web.listener import IDLE_SECONDS, Tracked, listen

log: Final = logging.getLogger("exporter.web")

_SENDING_SECONDS: Final = 30.0
"""Beyond the longest scrape, for a login and a slow line."""


class Server(uvicorn.Server):
    """A second signal ends the process without waiting."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; a second signal does not wait."""
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)


def run_server(
    application: FastAPI,
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    scrape_seconds: float,
    shutdown_seconds: float,
) -> int:
    """Serve until a signal; return the exit code.

    A request under way at the signal may take ``shutdown_seconds`` more. Raises
    :exc:`~exporter.errors.UsageError` if the address cannot be used.
    """
    listener = listen(host, port, request_seconds=scrape_seconds + _SENDING_SECONDS)
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")  # as uvicorn itself would
    # uvicorn and Starlette write the types of ASGI differently.
    proxied: Any = ProxyHeadersMiddleware(cast("Any", application), trusted_hosts=trusted)
    config = uvicorn.Config(
        Tracked(proxied, listener),
        loop="asyncio",  # whose accept the listener stands behind
        http="h11",
        proxy_headers=False,  # done above, for the listener must see the peer's own address
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=round(shutdown_seconds),
        timeout_keep_alive=round(IDLE_SECONDS),
        h11_max_incomplete_event_size=32_768,
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )
    server = Server(config)
    # uvicorn raises the signal again once it has stopped; by then we have ended well.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ended)
    name, number_of_port = listener.getsockname()[:2]
    shown = f"[{name}]" if ":" in name else name
    log.info("serving on %s://%s:%d/", "https" if tls else "http", shown, number_of_port)
    server.run(sockets=[listener])
    return 0 if server.started else 1


def _ended(_number: int, _frame: FrameType | None) -> None:
    """Let the process go on to its orderly end."""
