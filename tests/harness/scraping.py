"""Scraping an exporter as Prometheus does."""

from __future__ import annotations

from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.harness.limits import LONG

SCRAPE_TIMEOUT: Final = 10.0

Key = tuple[str, tuple[tuple[str, str], ...]]
Page = dict[Key, float]


def scrape(url: str) -> Page:
    """Return every sample by name and labels; the answer must be 200 whatever is down."""
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": str(SCRAPE_TIMEOUT)}
    answer = httpx.get(url, headers=headers, timeout=LONG)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_text(answer.text)
        for sample in family.samples
    }
