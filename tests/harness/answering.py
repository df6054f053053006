"""An HTTP server that answers as a test says, in place of one that cannot be had or does not fail at will."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sandbox.process import LOOPBACK


class Answering(http.server.BaseHTTPRequestHandler):
    """Gives answers whole, or so slowly that they never end."""

    slowly = False

    def answer(self) -> tuple[int, Mapping[str, str], bytes]:
        """Return the status, the headers and the body for this request."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Send the answer."""
        status, headers, body = self.answer()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        while self.slowly:
            self.wfile.write(b" ")
            self.wfile.flush()
            threading.Event().wait(0.02)
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering(handler: type[Answering]) -> Iterator[str]:
    """Serve on loopback for the length of a block; yield the address."""
    with http.server.ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment] # the client is gone
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()
