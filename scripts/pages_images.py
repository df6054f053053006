"""Draws the exporter's pages for docs/images: ``python scripts/pages_images.py http://localhost:9816``.

The first page, the incidents, and the runbook of the newest alert that fires (``--alert`` names another one),
each on a phone and on a desktop, light and dark. Needs Chromium, and an exporter that has seen an alert.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.harness.browser import Browser

IMAGES: Final = Path(__file__).resolve().parents[1] / "docs" / "images"
SCREENS: Final = {390: (844, 1.5, True), 1280: (900, 1.0, False)}
"""Width of a screen to its height, its density, and whether it is a phone."""


def main() -> None:
    """Draw every page on every screen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("exporter", help="address of an exporter")
    parser.add_argument("--alert", default="", help="whose runbook to draw")
    parser.add_argument("--out", type=Path, default=IMAGES, help="directory for the images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, Browser(Path(home)) as browser:
        runbook = _runbook(browser, options.exporter, options.alert)
        pages = {"landing": "", "incidents": "incidents", "runbook": runbook}
        for name, file in _draw(browser, options.exporter, pages, options.out):
            print(name, file)


def _runbook(browser: Browser, exporter: str, alert: str) -> str:
    """Return the path of the runbook of the newest alert that the exporter has seen, or of this one."""
    browser.open(f"{exporter}/incidents")
    listed: list[tuple[str, str]] = browser.run(
        "[...document.querySelectorAll('h2 a')].map(a => [a.textContent, a.getAttribute('href')])"
    )
    found = [path for name, path in listed if alert in ("", name)]
    return found[0] if found else sys.exit(f"the exporter has not seen {alert or 'an alert'}")


def _draw(browser: Browser, exporter: str, pages: dict[str, str], out: Path) -> Iterator[tuple[str, Path]]:
    for width, (height, density, phone) in SCREENS.items():
        browser.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=density,
            mobile=phone,
        )
        for dark in (False, True):
            browser.dark(dark)
            for name, path in pages.items():
                browser.open(f"{exporter}/{path}")
                file = out / f"page-{name}-{width}-{'dark' if dark else 'light'}.webp"
                browser.picture(file, format="webp", quality=70)
                yield name, file


if __name__ == "__main__":
    main()
