"""Make docs/images/*.png: run the demo through an incident, then draw every dashboard with what it measured.

About an hour, MINUTES of them the demo's. With ``--prometheus URL`` the pictures
are drawn from a Prometheus that is running already. With names of pages (``magento-database``) only those
are drawn. With ``--minutes`` the incident is shortened in proportion. Needs Node 20 and Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sandbox.process import Process  # noqa: E402
from sandbox.stack import BESIDE  # noqa: E402

PREVIEW: Final = ROOT / "tools" / "dashboard-preview"
GENERATED: Final = ROOT / "dashboards" / "generated"
IMAGES: Final = ROOT / "docs" / "images"

MINUTES: Final = 46.0
UNSHOWN: Final = 2.0
"""Minutes at the start that no picture shows."""
SCRAPE_SECONDS: Final = 10
DEMO: Final = (
    *("--history-days", "15", "--rate", "4", "--scrape-seconds", str(SCRAPE_SECONDS)),
    *("--with", *BESIDE),
)
OUTAGE: Final = 24.0
INCIDENT: Final = (
    (2.0, "on", "cron-stopped"),
    (3.0, "on", "consumer-dead"),
    (3.0, "on", "replica-stopped"),
    (3.0, "on", "disk-filling"),
    (4.0, "on", "locks-held"),
    (4.0, "on", "opcache-full"),
    (4.0, "on", "search-readonly"),
    (5.0, "on", "sentinel-no-quorum"),
    (5.0, "on", "certificate-expiring"),
    (6.0, "on", "broker-alarm"),
    (9.0, "off", "broker-alarm"),
    (10.0, "off", "consumer-dead"),
    (10.0, "off", "locks-held"),
    (11.0, "off", "replica-stopped"),
    (12.0, "off", "opcache-full"),
    (12.0, "off", "search-readonly"),
    (13.0, "off", "sentinel-no-quorum"),
    (13.0, "off", "certificate-expiring"),
    (14.0, "off", "disk-filling"),
    (20.0, "off", "cron-stopped"),
    (21.0, "start", "2026.11.2"),
    (22.5, "end", "2026.11.2"),
    (OUTAGE, "on", "payment-declined"),
    (34.0, "on", "cache-flushed"),
    (35.0, "off", "cache-flushed"),
)
"""What happens, in minutes after the demo is up: a night's faults are over, a release breaks payments."""


MOMENTS: Final = (0, 5, 20)
"""Minutes of the outage at which the Overview is drawn."""
BEFORE_A_MOMENT: Final = 12
"""Minutes that such a picture shows."""


def main() -> int:
    """Draw the dashboards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", metavar="URL", help="draw from this one instead of running the demo")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long the incident takes")
    parser.add_argument("--from", dest="since", help="what time range is shown")
    parser.add_argument(
        "pages", nargs="*", metavar="PAGE", help="all, and the Overview's moments, if not given"
    )
    options = parser.parse_args()
    since = options.since or f"now-{options.minutes - UNSHOWN:.0f}m"
    if shutil.which("npm") is None:
        sys.exit("npm is missing: install Node.js 20 or newer, and Chromium")
    if not (PREVIEW / "node_modules").exists():
        subprocess.run(["npm", "ci", "--silent"], cwd=PREVIEW, check=True)
    if options.prometheus:
        return _draw(options.prometheus, since, options.pages)
    with _demo() as (state, prometheus):
        _suffer(state, options.minutes)
        for minute in () if options.pages else MOMENTS:
            _draw_moment(prometheus, round(options.minutes - OUTAGE) - minute, f"outage-minute-{minute}.png")
        return _draw(prometheus, since, options.pages)


@contextmanager
def _demo() -> Iterator[tuple[Path, str]]:
    """Run the demo in a directory of its own; yield that and the address of its Prometheus."""
    with tempfile.TemporaryDirectory(prefix="images-") as folder:
        state = Path(folder) / "state"
        command = [sys.executable, "-m", "sandbox", "demo", "--directory", str(state), *DEMO]
        process = Process("demo", command, log=Path(folder) / "log", cwd=ROOT)
        process.start()
        try:
            urls = state / "urls.json"
            process.wait_ready(lambda: urls.exists() and "exporter" in urls.read_text(), seconds=600)
            yield state, json.loads(urls.read_text())["prometheus"]
        finally:
            process.stop(seconds=60)


def _suffer(state: Path, minutes: float) -> None:
    """Let the incident take its course."""
    began = time.monotonic()
    for minute, action, what in (*INCIDENT, (MINUTES, "", "")):
        time.sleep(max(0.0, began + minute * 60 * minutes / MINUTES - time.monotonic()))
        if what:
            print(f"minute {minute:g}: {what} {action}", flush=True)
            command = [sys.executable, "-m", *_arguments(state, action, what)]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _arguments(state: Path, action: str, what: str) -> list[str]:
    """Return the command that switches a fault, or marks a deployment as a pipeline does."""
    if action in {"on", "off"}:
        return ["sandbox", "fault", action, what, "--directory", str(state)]
    shop = state / "servers" / "magento"
    return ["exporter", "deploy", action, "--release", what, "--magento-root", str(shop)]


def _preview(prometheus: str, since: str, until: str, folder: str, files: list[Path]) -> int:
    time_range = ["--from", since, "--to", until, "--scrape-interval", f"{SCRAPE_SECONDS}s"]
    where = ["--prometheus", prometheus, "--out", folder, "--var", "job=magento"]
    command = ["node", str(PREVIEW / "preview.mjs"), *where, *time_range, *map(str, files)]
    return subprocess.run(command, cwd=PREVIEW, check=False).returncode


def _draw_moment(prometheus: str, ago: int, name: str) -> None:
    """Draw the Overview as it was so many minutes ago."""
    overview = GENERATED / "magento-overview.json"
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        _preview(prometheus, f"now-{ago + BEFORE_A_MOMENT}m", f"now-{ago}m", folder, [overview])
        shutil.copy(Path(folder) / "magento-overview.png", IMAGES / name)


def _draw(prometheus: str, since: str, pages: list[str]) -> int:
    """Draw dashboards and put the pictures into docs/images; return the preview's exit status."""
    files = [GENERATED / f"{page}.json" for page in pages] or sorted(GENERATED.glob("*.json"))
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        status = _preview(prometheus, since, "now", folder, files)
        IMAGES.mkdir(parents=True, exist_ok=True)
        for picture in Path(folder).glob("*.png"):
            shutil.copy(picture, IMAGES / picture.name)
    return status


if __name__ == "__main__":
    sys.exit(main())
