"""Which versions of the servers Adobe supports with each line of Magento, and which one runs.

Source: Adobe's system requirements, as of August 2026. A line's row is that of its newest patch, with what
its older patches are supported with as well. Mage-OS and older lines are not known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from exporter.core.metrics import Sample, gauge
from exporter.core.ports import Files
from exporter.errors import SourceError
from exporter.magento.releases import MAGE_OS, line

RUNS = gauge(
    "magento_service_version",
    "Always 1; first two numbers of a server's version, and whether Adobe supports it with this line of"
    " Magento: yes, no, or unknown for another line or edition.",
    "service",
    "version",
    "supported",
)

SUPPORTED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "2.4.9": {
            "mariadb": ("12.3", "11.8"),
            "mysql": ("8.4",),
            "opensearch": ("3",),
            "elasticsearch": (),
            "redis": (),
            "valkey": ("9",),
            "php": ("8.5", "8.4"),
        },
        "2.4.8": {
            "mariadb": ("11.8", "11.4"),
            "mysql": ("8.4",),
            "opensearch": ("3", "2.19"),
            "elasticsearch": ("8",),
            "redis": ("7.2",),
            "valkey": ("8",),
            "php": ("8.4", "8.3"),
        },
        "2.4.7": {
            "mariadb": ("11.8", "10.11", "10.6"),
            "mysql": ("8.0",),
            "opensearch": ("3", "2.19"),
            "elasticsearch": ("8", "7.17"),
            "redis": ("7.2",),
            "valkey": ("8",),
            "php": ("8.3", "8.2"),
        },
        "2.4.6": {
            "mariadb": ("10.11",),
            "mysql": (),
            "opensearch": ("3", "2.19"),
            "elasticsearch": (),
            "redis": (),
            "valkey": ("8.1",),
            "php": ("8.2", "8.1"),
        },
    }
)
"""Line, service, and the beginnings of the versions that are supported."""

YES: Final = "yes"
NO: Final = "no"
UNKNOWN: Final = "unknown"
_NUMBERS: Final = re.compile(r"\d+(\.\d+)?")


def numbers(text: str) -> str:
    """Return the first two numbers: 10.11 of ``10.11.6-MariaDB-0+deb12u1``; empty for another text."""
    match = _NUMBERS.match(text)
    return match.group() if match else ""


def product_of(files: Files | None) -> tuple[str, str]:
    """Return edition and version by the shop's files; empty texts where they do not say."""
    try:
        return files.product() if files is not None else ("", "")
    except SourceError:
        return "", ""  # the collector of the files says why


def redis_of(info: Mapping[str, Any]) -> tuple[str, str]:
    """Return service and version by INFO. Valkey names the Redis that it is compatible with as well."""
    valkey = info.get("valkey_version")
    return ("valkey", str(valkey)) if valkey else ("redis", str(info["redis_version"]))


def is_supported(product: tuple[str, str], service: str, version: str) -> str:
    """Return whether a version of a service is supported with this edition and version of Magento."""
    edition, release = product
    known = None if edition == MAGE_OS else SUPPORTED.get(line(release), {}).get(service)
    if known is None or not version:
        return UNKNOWN
    return YES if any(f"{version}.".startswith(f"{begins}.") for begins in known) else NO


def runs(product: tuple[str, str], service: str, version: str) -> Sample:
    """Return the sample of one server."""
    shown = numbers(version)
    return RUNS.sample(1, service=service, version=shown, supported=is_supported(product, service, shown))
