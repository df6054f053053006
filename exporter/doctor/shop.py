"""What the shop's env.php says, and what of it stops the shop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from exporter.doctor.examination import Examination, Finding, Status
from exporter.magento.discovery import consumers_by_cron, cron_enabled, parts

_UNKNOWN: Final = "set the variable for the exporter, too, or give what depends on it by hand"


def check(subject: Examination) -> Iterator[Finding]:
    """Yield what was found in env.php, part by part."""
    env_php = subject.env_php
    if env_php is None:
        yield Finding(
            Status.NOTE, "env.php", "not named: only what the settings say is known",
            "--magento-root DIR or --env-php FILE finds the shop's servers automatically",
        )  # fmt: skip
        return
    if env_php.problem:
        yield Finding(
            Status.WARNING,
            "env.php",
            f"not read: {env_php.problem}",
            "what is given by hand works without it",
        )
    for path, why in env_php.unknown():
        yield Finding(Status.NOTE, "env.php", f"{path}: {why}", _UNKNOWN)
    for name, said in parts(env_php):
        off = name == "consumers" and not consumers_by_cron(env_php)
        yield Finding(Status.NOTE if off else Status.OK, name, said)
    if cron_enabled(env_php):
        yield Finding(Status.OK, "cron", "enabled")
    else:
        yield Finding(
            Status.ERROR, "cron", "cron/enabled is 0: cron:run does nothing, and says so to nobody",
            "remove 'cron' => ['enabled' => 0] from app/etc/env.php",
        )  # fmt: skip
