"""Messages of both transports, their consumers, and bulk operations."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty
from typing import Any, Final

import pika

from sandbox.shop import magento
from sandbox.shop.simulation.world import Component, World, utc_now

DATABASE_QUEUES: Final = ("export", "product_alert.queue", "codegenerator")
"""Published to the MySQL transport explicitly; every other queue is RabbitMQ's where that is configured."""

AMQP_QUEUES: Final = {
    "sales.rule.update.coupon.usage": 4,
    "inventory.reservations.updateSalabilityStatus": 6,
    "media.storage.catalog.image.resize": 1,
}
"""Queues that the shop's daily work fills, with their shares."""

BULK_QUEUE: Final = "async.operations.all"
EXCHANGE: Final = "magento"
PREFETCH: Final = 100
"""As Magento's consumers."""

LINGER_SECONDS: Final = 20.0
"""How long, in Magento's seconds, a consumer waits at an empty queue before it goes."""

EMPTY_LOOKS: Final = 10
"""And how often it must have looked; a look takes a tenth of a second, whatever the pace."""


class DatabaseConsumers(Component):
    """Publishes to the MySQL transport and works its queues off: new, in progress, complete."""

    name = "database-consumers"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._next_message = time.monotonic()

    def step(self) -> float:
        """Publish when it is time; then take what waits, unless the consumers are dead."""
        now = time.monotonic()
        if now >= self._next_message:
            self.shop.messages.publish(self.random.choice(DATABASE_QUEUES), self.random.randint(1, 3))
            self._next_message = now + max(0.5, self.world.pace.seconds(self.random.uniform(5, 15)))
        if not self.fault("consumer-dead"):
            self._consume()
        return max(0.2, self.world.pace.seconds(1))

    def _consume(self) -> None:
        waiting = self.database.rows(
            "SELECT id, status FROM {queue_message_status} WHERE status IN (%s, %s, %s)"
            " ORDER BY updated_at, id LIMIT 50",
            (magento.MESSAGE_NEW, magento.MESSAGE_IN_PROGRESS, magento.MESSAGE_RETRY),
        )
        for status_id, _status in waiting:
            if self.world.stopping.is_set():
                return
            self.shop.messages.set_status(status_id, magento.MESSAGE_IN_PROGRESS)
            self.world.wait(self.random.uniform(0.05, 0.5))
            fails = self.fault("queue-errors")
            self.shop.messages.set_status(
                status_id, magento.MESSAGE_ERROR if fails else magento.MESSAGE_COMPLETE
            )


class BulkWorker(Component):
    """Starts bulks as an integration does, and lets the consumer of `async.operations.all` finish them."""

    name = "bulk-worker"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._next_bulk = time.monotonic()

    def step(self) -> float:
        """Start a bulk when it is time; then carry out open operations, unless nobody does."""
        now = time.monotonic()
        if now >= self._next_bulk:
            operations = self.random.randint(3, 15)
            uuid = self.shop.messages.start_bulk(operations)
            for key in range(operations):
                self.world.outbox.put((BULK_QUEUE, json.dumps({"bulk_uuid": uuid, "operation_key": key})))
            self._next_bulk = now + max(1.0, self.world.pace.seconds(self.random.uniform(60, 180)))
        if not self.fault("bulk-stuck") and not self.fault("consumer-dead-amqp"):
            self._work()
        return max(0.2, self.world.pace.seconds(2))

    def _work(self) -> None:
        started = self.database.has_column("magento_operation", "started_at")
        open_operations = self.database.rows(
            "SELECT id FROM {magento_operation} WHERE status = %s ORDER BY id LIMIT 20",
            (magento.OPERATION_OPEN,),
        )
        for (operation_id,) in open_operations:
            if self.world.stopping.is_set():
                return
            if started:
                self.database.update("magento_operation", {"id": operation_id}, started_at=utc_now())
            self.world.wait(0.1)
            self.database.update("magento_operation", {"id": operation_id}, status=magento.OPERATION_COMPLETE)


class AmqpConsumers(Component):
    """Publishes to RabbitMQ and consumes. A consumer comes when its queue has messages, and goes after."""

    name = "amqp-consumers"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._connection: Any = None
        self._channel: Any = None
        self._consumers: dict[str, str] = {}
        self._last_activity: dict[str, float] = {}
        self._empty_looks: Counter[str] = Counter()
        self._next_message = time.monotonic()

    def step(self) -> float:
        """Let consumers work for a moment, start and end them, and publish what is due.

        In this order, because a consumer that is ended gives back what it has not begun.
        """
        if self.world.endpoints.rabbitmq is None:
            return 5.0
        if self._channel is None:
            self._open(self.world.endpoints.rabbitmq)
        self._connection.process_data_events(time_limit=0.1)
        for queue in (*AMQP_QUEUES, BULK_QUEUE):
            self._attend(queue)
        for queue, body in self._due():
            self._note_activity(queue)  # the broker may take its time to deliver it
            self._channel.basic_publish(EXCHANGE, queue, body.encode(), pika.BasicProperties(delivery_mode=2))
        return 0.1

    def _open(self, where: dict[str, Any]) -> None:
        """Connect and declare, as setup:upgrade does, every queue and its binding to the exchange."""
        parameters = pika.ConnectionParameters(
            host=where["host"],
            port=where["amqp_port"],
            virtual_host=where["vhost"],
            credentials=pika.PlainCredentials(where["user"], where["password"]),
            socket_timeout=5,
            stack_timeout=10,
            blocked_connection_timeout=10,
            heartbeat=30,
        )
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._channel.basic_qos(prefetch_count=PREFETCH)
        self._channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True)
        for queue in magento.CONSUMERS.values():
            if queue not in DATABASE_QUEUES:
                self._channel.queue_declare(queue, durable=True)
                key = "async.#" if queue == BULK_QUEUE else queue
                self._channel.queue_bind(queue, EXCHANGE, routing_key=key)

    def _due(self) -> Iterator[tuple[str, str]]:
        now = time.monotonic()
        if now >= self._next_message:
            gap = 60.0 / (self.world.orders_per_minute * 5)
            self._next_message = max(self._next_message + self.random.expovariate(1 / gap), now - 5 * gap)
            queue = self.random.choices(list(AMQP_QUEUES), weights=list(AMQP_QUEUES.values()))[0]
            yield queue, '{"private": true}'
        with suppress(Empty):
            while True:
                yield self.world.outbox.get_nowait()

    def _attend(self, queue: str) -> None:
        """Start a consumer where messages wait, end it where they have not for a while or it must be dead.

        A while is some looks as well: where the machine stood still, messages may wait unseen.
        """
        dead = self.fault("consumer-dead-amqp") or (queue == BULK_QUEUE and self.fault("bulk-stuck"))
        idle = time.monotonic() - self._last_activity.get(queue, 0.0)
        self._empty_looks[queue] += 1
        if queue in self._consumers:
            lonely = self._empty_looks[queue] >= EMPTY_LOOKS
            if dead or (lonely and idle > max(2.0, self.world.pace.seconds(LINGER_SECONDS))):
                self._channel.basic_cancel(self._consumers.pop(queue))
        elif not dead and self._waiting(queue):
            self._note_activity(queue)
            self._consumers[queue] = self._channel.basic_consume(queue, self._deliver)

    def _note_activity(self, queue: str) -> None:
        self._last_activity[queue] = time.monotonic()
        self._empty_looks[queue] = 0

    def _waiting(self, queue: str) -> bool:
        return bool(self._channel.queue_declare(queue, passive=True).method.message_count)

    def _deliver(self, channel: Any, method: Any, _properties: Any, _body: bytes) -> None:
        self._note_activity(method.routing_key)
        self.world.wait(self.random.uniform(0.01, 0.1))
        channel.basic_ack(method.delivery_tag)

    def reset(self) -> None:
        """Drop the AMQP connection too; unacknowledged messages return to their queues."""
        super().reset()
        connection, self._connection, self._channel = self._connection, None, None
        self._consumers.clear()
        if connection is not None and connection.is_open:
            with suppress(pika.exceptions.AMQPError, OSError):
                connection.close()
