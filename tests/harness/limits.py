"""How long a test waits for what should happen at once."""

from __future__ import annotations

from typing import Final

LONG: Final = 600.0
"""Only what hangs takes so long, however busy the machine is. No test judges by how long something takes."""
