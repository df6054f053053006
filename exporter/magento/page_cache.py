"""Magento's full-page cache in Varnish.

Source: ``etc/varnish6.vcl`` and ``varnish7.vcl`` of module-page-cache, 2.4.8.
"""

from __future__ import annotations

from typing import Final

PROBE_WINDOW: Final = 10
PROBE_THRESHOLD: Final = 5
"""The generated VCL calls a backend healthy while 5 of its last 10 probes were good."""


def is_healthy(probes: int) -> bool:
    """Return what the generated VCL makes of a probe history (``VBE.*.happy``; bit 0 is the last probe)."""
    last = probes & ((1 << PROBE_WINDOW) - 1)
    return last.bit_count() >= PROBE_THRESHOLD
