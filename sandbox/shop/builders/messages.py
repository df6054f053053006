"""Messages of the MySQL transport, and bulk operations."""

from collections.abc import Sequence
from datetime import datetime
from random import Random

from sandbox.shop import magento
from sandbox.shop.database import ShopDatabase


class Messages:
    """Writes what publishers, consumers and the asynchronous API write."""

    def __init__(self, database: ShopDatabase, random: Random) -> None:
        self.database = database
        self.random = random

    def publish(self, queue: str, count: int = 1, *, at: datetime | None = None) -> list[int]:
        """Put messages into a queue of the MySQL transport; returns the ids of their status rows."""
        when, database = self.database.moment(at), self.database
        with database.transaction():
            queue_id = database.value("SELECT id FROM {queue} WHERE name = %s", (queue,))
            return [
                database.insert(
                    "queue_message_status",
                    queue_id=queue_id,
                    message_id=database.insert("queue_message", topic_name=queue, body='{"private": true}'),
                    updated_at=when,
                    status=magento.MESSAGE_NEW,
                )
                for _ in range(count)
            ]

    def set_status(self, status_id: int, status: int, *, at: datetime | None = None) -> None:
        """Move a message to another status, as a consumer does."""
        self.database.update(
            "queue_message_status", {"id": status_id}, status=status, updated_at=self.database.moment(at)
        )

    def start_bulk(
        self, operations: int, *, topic: str = "async.V1.products.POST", at: datetime | None = None
    ) -> str:
        """Schedule a bulk of open operations; returns its uuid."""
        when, database = self.database.moment(at), self.database
        value = f"{self.random.getrandbits(128):032x}"
        uuid = "-".join((value[:8], value[8:12], value[12:16], value[16:20], value[20:]))
        with database.transaction():
            database.insert(
                "magento_bulk",
                uuid=uuid,
                user_id=1,
                user_type=2,
                description="private description",
                operation_count=operations,
                start_time=when,
            )
            for key in range(operations):
                operation: dict[str, object] = {"bulk_uuid": uuid, "topic_name": topic}
                if database.has_column("magento_operation", "operation_key"):
                    operation["operation_key"] = key
                database.insert("magento_operation", **operation, status=magento.OPERATION_OPEN)
        return uuid

    def process(self, uuid: str, statuses: Sequence[int], *, at: datetime | None = None) -> None:
        """Set the status of a bulk's first operations; older versions do not note when they began."""
        database = self.database
        ids = database.rows("SELECT id FROM {magento_operation} WHERE bulk_uuid = %s ORDER BY id", (uuid,))
        for (number,), status in zip(ids, statuses, strict=False):
            changes: dict[str, object] = {"status": status}
            if database.has_column("magento_operation", "started_at"):
                changes["started_at"] = database.moment(at)
            database.update("magento_operation", {"id": number}, **changes)
