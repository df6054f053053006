"""Which Magento this is, how long it is supported, and what of env.php it does not do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from exporter.core.query import Query
from exporter.doctor.examination import Examination, Finding, Status
from exporter.errors import SourceError
from exporter.magento.caches import becomes_files
from exporter.magento.env_php import EnvPhpSettings
from exporter.magento.releases import MAGE_OS, newer_patch, numbers, support_ends
from exporter.magento.support import product_of

VERSION_ID = Query(
    "doctor_version_id",
    """
    SELECT DATA_TYPE AS type
    FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %(table)s AND COLUMN_NAME = 'version_id'
    """,
    reads={},
)
"""A wide number of changelog entries came with 2.4.9: the one sign of it in the database."""

WARN_DAYS: Final = 90

_2_4_9: Final = (2, 4, 9)
_SHORT: Final = "write 'backend' => 'redis' (or 'valkey', 'symfony_l2'), then bin/magento cache:flush"


def check(subject: Examination) -> Iterator[Finding]:
    """Yield what the version is, and where it and env.php do not agree."""
    edition, version = product_of(subject.backends.files)
    since_2_4_9 = _is_since_2_4_9(subject, edition, version)
    yield from _support(edition, version)
    if not version and since_2_4_9:
        yield Finding(Status.NOTE, "version", "2.4.9 or newer, by the database's tables")
    env_php = subject.env_php
    if env_php is None:
        return
    yield from _caches(env_php, since_2_4_9=since_2_4_9)
    yield from _sessions(env_php, edition, version)
    yield from _queues(subject, env_php)


def _is_since_2_4_9(subject: Examination, edition: str, version: str) -> bool:
    known = None if edition == MAGE_OS else numbers(version)
    if known is not None:
        return known[:3] >= _2_4_9
    database = subject.backends.database
    if database is None or "database" in subject.unreachable:
        return False
    try:
        rows = database.rows(VERSION_ID, table=f"{database.prefix}mview_state")
    except SourceError:
        return False
    return any(row["type"] == "bigint" for row in rows)


def _support(edition: str, version: str) -> Iterator[Finding]:
    if not version:
        return
    name, ends = f"{edition} {version}", support_ends(edition, version)
    if ends is None:
        yield Finding(Status.OK, "version", f"{name}; until when it is supported is not known here")
    else:
        day = f"{datetime.fromtimestamp(ends - 1, UTC):%Y-%m-%d}"
        left = (ends - time.time()) / 86_400
        seen = f"{name}; standard support {'ended' if left <= 0 else 'ends'} on {day}"
        if left <= WARN_DAYS:
            yield Finding(Status.WARNING, "version", seen, "plan the upgrade, or Adobe's extended support")
        else:
            yield Finding(Status.OK, "version", seen)
    if newest := newer_patch(edition, version):
        yield Finding(Status.NOTE, "patch", f"{newest} is newer and has security fixes", "apply it")


def _caches(env_php: EnvPhpSettings, *, since_2_4_9: bool) -> Iterator[Finding]:
    """Say which names of a cache mean files: 2.4.9 takes them without a word, and cache:status is green."""
    if not since_2_4_9:
        return
    for frontend, backend in env_php.cache_backends():
        if becomes_files(backend):
            seen = f"{frontend}: 2.4.9 does not know {backend} and writes files; the server stays empty"
            yield Finding(Status.ERROR, "cache backend", seen, _SHORT)


def _sessions(env_php: EnvPhpSettings, edition: str, version: str) -> Iterator[Finding]:
    known = None if edition == MAGE_OS else numbers(version)
    if env_php.text("session/save") != "valkey" or (known is not None and known > (*_2_4_9, 0)):
        return
    yield Finding(
        Status.WARNING, "sessions", "save is valkey: Magento up to 2.4.9 has no such handler, and PHP keeps"
        " sessions in files of each web node",
        "write 'save' => 'redis' and 'redis' => [...]; Valkey serves it",
    )  # fmt: skip


def _queues(subject: Examination, env_php: EnvPhpSettings) -> Iterator[Finding]:
    connection = env_php.queue_connection()
    observed = {"stomp": subject.backends.artemis, "amqp": subject.backends.rabbitmq}
    if connection == "db" or observed.get(connection) is not None:
        return
    fixes = {
        "stomp": "set artemis.url to the Jolokia of Artemis' console",
        "amqp": "set rabbitmq.url to the management API",
    }
    yield Finding(
        Status.WARNING,
        "queues",
        f"not observed: their default connection is {connection}",
        fixes.get(connection, "the exporter reads the database, RabbitMQ and Artemis only"),
    )
