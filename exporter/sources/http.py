"""What every management API over HTTP has in common: how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from exporter.errors import SourceTimeout, SourceUnavailable
from exporter.sources.handshake import refused_by_us


@contextmanager
def asking(api: str) -> Iterator[None]:
    """Say in our own errors what the HTTP library raises while ``api`` is asked."""
    try:
        yield
    except httpx.TimeoutException:
        raise SourceTimeout(f"{api} did not answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
        raise refused_by_us(error) or SourceUnavailable(
            f"cannot reach {api}: {type(error).__name__}"
        ) from None
