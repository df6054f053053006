"""Labels that come from outside: only plain values are taken, since they are copied into a shell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_.:/@+-]{0,99}")
"""Values that mean only themselves to a shell, to PromQL and to HTML, with quotes or without."""

_REFUSED: Final = re.compile(r"[<>\x00-\x1f\x7f]|.{1001}", re.DOTALL)
"""Markup, control characters, and what is too long: no label of an alert has them."""

OF_ALERTS: Final = frozenset(
    {
        *("job", "instance", "shop", "store", "website", "severity", "team", "service", "category"),
        *("backend", "broker", "collector", "consumer", "customer", "document", "indexer", "job_code"),
        *("layer", "magento_role", "master_name", "method", "mountpoint", "page", "place", "queue"),
        *("resource", "role", "source", "stage", "state", "varnish", "version"),
    }
)
"""Labels of the pack's alerts. Others are not kept: nobody knows what stands in them."""

SEVERITIES: Final = ("critical", "urgent", "warning", "info", "none")
"""The most urgent first."""

_CUSTOMERS: Final = frozenset({"guest", "registered"})
"""The only values of the label ``customer`` that are kept: another rule may put a name there."""


def urgency(severity: str) -> int:
    """Return the place of a severity among all: 0 is the most urgent."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def is_plain(value: str) -> bool:
    """Return whether the value may be copied anywhere as it is."""
    return _PLAIN.fullmatch(value) is not None


def named(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the pairs whose names are those of labels."""
    return {name: value for name, value in pairs if _NAME.fullmatch(name)}


def plain(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the labels with a plain value."""
    return {name: value for name, value in named(pairs).items() if is_plain(value)}


def refused(labels: Mapping[str, str]) -> str:
    """Return the first label whose value is no value of an alert's label; empty if there is none."""
    return next((name for name, value in labels.items() if _REFUSED.search(value)), "")


def of_alert(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that are kept: those of the pack's alerts, plain, and no e-mail address or name."""
    known = (
        (name, value)
        for name, value in sorted(labels.items())
        if name in OF_ALERTS and "@" not in value and (name != "customer" or value in _CUSTOMERS)
    )
    return plain(known)
