"""Messages of both transports, their consumers, and bulk operations."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty
from typing import Any, Final

import pika

from sandbox.shop import magento
from sandbox.shop.simulation.backoffice import purge_product
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
MESSAGES_PER_LOOK: Final = 5
"""What a consumer takes before the next one has its turn: in the sandbox one thread plays all of them."""

LINGER_SECONDS: Final = 20.0
"""How long, in Magento's seconds, a consumer waits at an empty queue before it goes."""


class LockedConsumers(Component):
    """Consumers that each hold their lock as long as their process lives, as those that cron starts do."""

    consumers: tuple[str, ...]
    _alive = False

    def live(self, *, alive: bool) -> bool:
        """Take or release the locks where they live from now on, or do not; returns `alive`."""
        if alive != self._alive:
            act = self.database.take_lock if alive else self.database.release_lock
            for name in self.consumers:
                act(magento.hashed(name))
            self._alive = alive
        return alive

    def reset(self) -> None:
        """Drop the connection, and the locks with it."""
        super().reset()
        self._alive = False


class DatabaseConsumers(LockedConsumers):
    """Publishes to the MySQL transport and works its queues off: new, in progress, complete."""

    name = "database-consumers"
    consumers = tuple(name for name, queue in magento.CONSUMERS.items() if queue in DATABASE_QUEUES)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._next_message = time.monotonic()

    def step(self) -> float:
        """Publish when it is time; then take what waits, unless the consumers are dead."""
        now = time.monotonic()
        if now >= self._next_message:
            self.shop.messages.publish(self.random.choice(DATABASE_QUEUES), self.random.randint(1, 3))
            self._next_message = now + max(0.5, self.world.pace.seconds(self.random.uniform(5, 15)))
        if self.live(alive=not self.fault("consumer-dead")):
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


class BulkWorker(LockedConsumers):
    """Starts bulks as an integration does, and lets the consumer of `async.operations.all` finish them."""

    name = "bulk-worker"
    consumers = (BULK_QUEUE,)

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
        if self.live(alive=not self.fault("bulk-stuck") and not self.fault("consumer-dead-amqp")):
            self._work()
        return max(0.2, self.world.pace.seconds(2))

    def _work(self) -> None:
        started = self.database.has_column("magento_operation", "started_at")
        open_operations = self.database.rows(
            "SELECT id, topic_name FROM {magento_operation} WHERE status = %s ORDER BY id LIMIT 20",
            (magento.OPERATION_OPEN,),
        )
        for operation_id, topic in open_operations:
            if self.world.stopping.is_set():
                return
            if started:
                self.database.update("magento_operation", {"id": operation_id}, started_at=utc_now())
            self.world.wait(0.1)
            if topic == magento.PRICE_TOPIC:
                self._set_price(operation_id)
            self.database.update("magento_operation", {"id": operation_id}, status=magento.OPERATION_COMPLETE)

    def _set_price(self, number: int) -> None:
        """Save a product's price: the changelogs get a row, and its pages are purged."""
        product_id, _sku = self.shop.products[number % len(self.shop.products)]
        self.shop.customers.save_product(product_id)
        purge_product(self, product_id)


class AmqpConsumers(Component):
    """Publishes to RabbitMQ and consumes as those do that cron starts: they poll, and never subscribe.

    Each minute cron takes a message of each queue and gives it back. Where there was one, it starts a
    consumer, which takes message by message (`--max-messages`) and ends at an empty queue after a while.
    """

    name = "amqp-consumers"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._connection: Any = None
        self._channel: Any = None
        self._publisher: Any = None
        self._outlet: Any = None
        self._blocked = False
        self._polling: dict[str, float] = {}
        """Queues with a consumer, and since when it found nothing."""
        self._next_message = time.monotonic()
        self._next_look = time.monotonic()

    def step(self) -> float:
        """Publish what is due, look into the queues when cron would, and let the consumers work."""
        if self.world.endpoints.rabbitmq is None:
            return 5.0
        if self._channel is None:
            self._open(self.world.endpoints.rabbitmq)
        for connection in (self._connection, self._publisher):
            connection.process_data_events(time_limit=0)
        if not self._blocked:
            for queue, body in self._due():
                self._outlet.basic_publish(
                    EXCHANGE, queue, body.encode(), pika.BasicProperties(delivery_mode=2)
                )
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = max(self._next_look + self.world.pace.minute, now)
            for queue in (*AMQP_QUEUES, BULK_QUEUE):
                self._look(queue)
        for queue in list(self._polling):
            self._poll(queue)
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
            heartbeat=30,
        )
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        # Requests publish, consumers are processes of their own: an alarm blocks only who publishes.
        self._publisher, self._blocked = pika.BlockingConnection(parameters), False
        self._publisher.add_on_connection_blocked_callback(lambda *_: self._block(on=True))
        self._publisher.add_on_connection_unblocked_callback(lambda *_: self._block(on=False))
        self._outlet = self._publisher.channel()
        self._channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True)
        for queue in magento.CONSUMERS.values():
            if queue not in DATABASE_QUEUES:
                self._channel.queue_declare(queue, durable=True)
                key = "async.#" if queue == BULK_QUEUE else queue
                self._channel.queue_bind(queue, EXCHANGE, routing_key=key)

    def _block(self, *, on: bool) -> None:
        self._blocked = on

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

    def _is_dead(self, queue: str) -> bool:
        return self.fault("consumer-dead-amqp") or (queue == BULK_QUEUE and self.fault("bulk-stuck"))

    def _look(self, queue: str) -> None:
        """Do what `consumers_runner` does: take a message, give it back, and start a consumer for it."""
        if self._is_dead(queue):
            return
        method, _, _ = self._channel.basic_get(queue)
        if method is not None:
            self._channel.basic_reject(method.delivery_tag, requeue=True)
            self._polling.setdefault(queue, time.monotonic())

    def _poll(self, queue: str) -> None:
        """Take some messages, one by one; end where none came for a while, or it must be dead."""
        for _ in range(MESSAGES_PER_LOOK):
            if self._is_dead(queue):
                del self._polling[queue]
                return
            method, _, _ = self._channel.basic_get(queue)
            if method is None:
                if time.monotonic() - self._polling[queue] > self.world.pace.seconds(LINGER_SECONDS):
                    del self._polling[queue]
                return
            self.world.wait(self.random.uniform(0.005, 0.05))
            self._channel.basic_ack(method.delivery_tag)
            self._polling[queue] = time.monotonic()

    def reset(self) -> None:
        """Drop the AMQP connection too; unacknowledged messages return to their queues."""
        super().reset()
        connections = self._connection, self._publisher
        self._connection = self._channel = self._publisher = self._outlet = None
        self._polling.clear()
        for connection in connections:
            if connection is not None and connection.is_open:
                with suppress(pika.exceptions.AMQPError, OSError):
                    connection.close()
