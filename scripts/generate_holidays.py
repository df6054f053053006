"""Write ``exporter/core/holidays.txt``: the public holidays of every country, from the library `holidays`.

The library takes 45 MiB of memory when it is loaded, so the exporter has its answers instead: one line a
country or region, with its days as ``year:MMDDMMDD...``. A region's line has all its days where they are not
the country's and some more (``=``), else only those that the country does not have (``+``).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from datetime import date
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Final

from holidays import country_holidays, list_supported_countries

FILE: Final = Path(__file__).resolve().parents[1] / "exporter" / "core" / "holidays.txt"
YEARS: Final = range(2025, 2037)
_CODE: Final = 2
"""Letters of a country's code; the library's other entries are organisations."""


def head() -> str:
    """Return the first line: the library's version and the years."""
    return f"# holidays {version('holidays')}, {YEARS.start} to {YEARS.stop - 1}"


def lines() -> Iterator[str]:
    """Yield a line for each country, and for each of its regions."""
    for country, regions in sorted(list_supported_countries(include_aliases=False).items()):
        if len(country) != _CODE:
            continue
        national = set(country_holidays(country, years=YEARS))
        yield _line(country, "=", national)
        for region in regions:
            days = set(country_holidays(country, subdiv=region, years=YEARS))
            if national <= days:
                yield _line(f"{country}-{region}", "+", days - national)
            else:
                yield _line(f"{country}-{region}", "=", days)


def _line(name: str, kind: str, days: Iterable[date]) -> str:
    years = groupby(sorted(days), key=lambda day: day.year)
    packed = [f"{year}:{''.join(f'{day:%m%d}' for day in some)}" for year, some in years]
    return " ".join((name, kind, *packed))


def main() -> int:
    """Write the file; with ``--check`` only look whether it is of the library that is installed."""
    if "--check" in sys.argv[1:]:
        written = FILE.read_text(encoding="utf-8").partition("\n")[0]
        if written != head():
            print(f"{FILE.name}: is of {written!r}, and {head()!r} is installed: make generate ARGS=holidays")
            return 1
        return 0
    warnings.simplefilter("ignore", UserWarning)  # a calendar may end earlier, or begin later
    FILE.write_text("\n".join((head(), *lines())) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
