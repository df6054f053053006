"""A server that answers as Artemis' Jolokia does: recorded answers, not a broker.

No package of Artemis exists for this machine. The form of the answers is Jolokia's for a read by pattern
(its protocol reference) with the attributes of Artemis' ``QueueControl``.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER = "magento_exporter"
PASSWORD = "planted-secret-of-artemis"


def queue(
    name: str,
    messages: int,
    added: int,
    acknowledged: int,
    *,
    delivering: int = 0,
    consumers: int = 0,
    age: int | None = None,
    **others: object,
) -> dict[str, object]:
    """Return what the source gives for one queue."""
    return {
        "name": name,
        "address": name,
        "MessageCount": messages,
        "DeliveringCount": delivering,
        "ScheduledCount": 0,
        "ConsumerCount": consumers,
        "MessagesAdded": added,
        "MessagesAcknowledged": acknowledged,
        "FirstMessageAge": age,
        "DeadLetterAddress": "DLQ",
        "ExpiryAddress": "ExpiryQueue",
        "Temporary": False,
        **others,
    }


def bean(address: str, name: str, broker: str = "0.0.0.0") -> str:  # noqa: S104 - the broker's usual name
    """Return the object name of a queue."""
    return (
        f'org.apache.activemq.artemis:address="{address}",broker="{broker}",component=addresses,'
        f'queue="{name}",routing-type="anycast",subcomponent=queues'
    )


@dataclass
class RecordedArtemis:
    """What is answered, and what was asked."""

    queues: list[Mapping[str, Any]] = field(default_factory=list)
    origin: str | None = None
    """If set, the one origin that is allowed; without one a request is refused (strict checking)."""
    status: int = 200
    body: bytes | None = None
    """An answer instead of the queues."""
    requests: list[Mapping[str, Any]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body."""
        self.requests.append(request)
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if headers.get("Authorization") != f"Basic {login}":
            return 403, b""
        if self.origin is not None and headers.get("Origin") != self.origin:
            return 200, b'{"status": 403, "error_type": "java.lang.SecurityException"}'
        if self.body is not None:
            return self.status, self.body
        value = {
            bean(queue["address"], queue["name"]): {
                name: attribute for name, attribute in queue.items() if name not in ("address", "name")
            }
            for queue in self.queues
        }
        return 200, json.dumps({"request": request, "value": value, "status": 200}).encode()


@contextmanager
def recorded(artemis: RecordedArtemis) -> Iterator[RecordedArtemis]:
    """Serve the answers on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, content = artemis.answer(json.loads(body), dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    artemis.url = f"http://127.0.0.1:{server.server_port}/console/jolokia"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield artemis
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
