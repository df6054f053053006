"""The proxy itself leaves nothing: what it leaks would fail a test that comes later."""

from __future__ import annotations

import asyncio
import gc
import socket
import warnings

import pytest

from tests.system.fault_matrix.proxy import FaultProxy, Mode, Proxies


async def _refuse_while_one_arrives(proxy: FaultProxy, turns: int) -> None:
    """Connect, let the loop turn, and stop listening."""
    client = socket.create_connection((proxy.host, proxy.port))
    for _ in range(turns):
        await asyncio.sleep(0)
    await proxy._set(Mode.REFUSE)
    client.close()


@pytest.mark.parametrize("turns", range(5))
def test_a_connection_that_arrives_while_listening_stops_is_closed(turns: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        proxies = Proxies()
        proxy = proxies.before(server.getsockname()[1])
        proxies.run(_refuse_while_one_arrives(proxy, turns))
        proxies.close()
        gc.collect()
    assert [str(warning.message) for warning in seen] == []
