"""Running the application on uvicorn, and ending well: exit 0 after SIGTERM, within a bound."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from exporter.errors import UsageError

log: Final = logging.getLogger("exporter.web")


class Server(uvicorn.Server):
    """A second signal ends the process without waiting."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; a second signal does not wait."""
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)


def run_server(
    application: FastAPI, *, host: str, port: int, tls: ssl.SSLContext | None, shutdown_seconds: float
) -> int:
    """Serve until a signal; return the exit code.

    A request under way at the signal may take ``shutdown_seconds`` more. Raises
    :exc:`UsageError` if the address cannot be used.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=round(shutdown_seconds),
        timeout_keep_alive=75,
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


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot listen on {host}:{port}: {reason}") from None
