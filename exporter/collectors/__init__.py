"""One subject in one file or package: SQL at the top, metric declarations, rows to samples.

:func:`all_collectors` finds every :class:`~exporter.core.collector.Collector`
in this package, so a new collector is one new file and is found automatically.
"""

from __future__ import annotations

import importlib
import pkgutil

from exporter.core.collector import Collector


def all_collectors() -> tuple[type[Collector], ...]:
    """Return every collector class of this package, in name order."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    classes = {
        item
        for module in modules
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, Collector)
        and f"{item.__module__}.".startswith(f"{module.__name__}.")
    }
    return tuple(sorted(classes, key=lambda collector: collector.name))
