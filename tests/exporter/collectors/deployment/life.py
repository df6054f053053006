"""What the shop's files say."""

from __future__ import annotations

from exporter.core.ports import Deploy
from tests.harness.shop import NOW


class Files:
    """The files of a shop in production that was deployed an hour ago and is now in maintenance."""

    step = 0
    """Which answer is next: before, a minute later, ten minutes later."""

    def product(self) -> tuple[str, str]:
        return "community", "2.4.8-p1"

    def mode(self) -> str:
        return "production"

    def queue_connection(self) -> str:
        return "amqp"

    def maintenance(self) -> bool:
        return self.step > 0

    def static_deployed_at(self) -> float | None:
        return NOW.timestamp() - 3600

    def deploy(self) -> Deploy | None:
        began = NOW.timestamp() - 4200
        return Deploy("v1.2", began, began + 600)


SOURCE = Files
