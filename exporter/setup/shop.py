"""Finding the shop's directory, and the groups that a user needs in order to read it."""

from __future__ import annotations

import grp
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from exporter.sources.env_php import ENV_PHP

USUAL: Final = (
    *("var/www/html", "var/www", "var/www/*", "var/www/*/html", "var/www/*/htdocs", "var/www/*/current"),
    *(
        "srv/*",
        "srv/www/*",
        "srv/*/current",
        "opt/*",
        "home/*/public_html",
        "home/*/htdocs",
        "home/*/magento",
    ),
    *("home/*/current", "home/*/*/current", "app", "usr/share/nginx/html"),
)
"""Where shops are, as patterns below /."""
_VARNISH: Final = "_.vsm_mgt"
_VARNISH_DIRECTORY: Final = Path("/var/lib/varnish")


def shops(root: Path = Path("/"), usual: Iterable[str] = USUAL) -> list[Path]:
    """Return every directory below the usual places that holds an env.php, each once."""
    found = {place.resolve() for pattern in usual for place in root.glob(pattern) if _holds(place)}
    return sorted(found)


def _holds(place: Path) -> bool:
    try:
        return (place / ENV_PHP).is_file()
    except OSError:
        return False


def groups_to_read(magento_root: Path, varnish: Path = _VARNISH_DIRECTORY) -> tuple[str, ...]:
    """Return the groups without which another user can read neither env.php nor Varnish's counters."""
    places = [*_above(magento_root / ENV_PHP), *sorted(varnish.glob(f"*/{_VARNISH}"))]
    return tuple(dict.fromkeys(name for place in places if (name := _group(place))))


def _above(file: Path) -> Iterator[Path]:
    yield from reversed(file.resolve().parents)
    yield file


def _group(place: Path) -> str | None:
    """Return the group that can use the place where others cannot; never root's."""
    facts = place.stat()
    directory = stat.S_ISDIR(facts.st_mode)
    others, group = (stat.S_IXOTH, stat.S_IXGRP) if directory else (stat.S_IROTH, stat.S_IRGRP)
    if facts.st_mode & others or not facts.st_mode & group or facts.st_gid == 0:
        return None
    try:
        return grp.getgrgid(facts.st_gid).gr_name
    except KeyError:
        return None
