"""`python -m sandbox.repairs STATE COMMAND ...`: which command of a shop's own server ends which fault.

The sandbox has no Magento and no systemd. Its `bin/magento`, `systemctl` and `n98-magerun2` are
stand-ins that report the command here: where it is the repair of a fault that is on, the fault ends.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbox import config_show, faults
from sandbox.stack import ENDPOINTS

_RUN: Final = r"systemctl (start|restart|enable --now) '?"

REPAIRS: Final[Mapping[str, str]] = {
    "backend-sick": r"systemctl (restart|reload) '?php",
    "backlog-growing": r"magento cron:run --group=index",
    "broker-alarm": r"rabbitmqctl set_vm_memory_high_watermark absolute",
    "bulk-stuck": r"magento queue:consumers:start async\.operations\.all",
    "changelog-reset": r"magento indexer:reindex .*catalogsearch_fulltext",
    "consumer-dead": r"magento queue:consumers:start (export|product_alert|codegenerator)",
    "consumer-dead-amqp": r"magento (queue:consumers:start|cron:run --group=consumers)",
    "cron-job-stuck": r"n98-magerun2 sys:cron:kill .*catalog_product_frontend_actions_flush",
    "cron-stopped": r"magento cron:install",
    "database-killed": _RUN + r"(mariadb|mysql)",
    "exporter-down": _RUN + r"magento-exporter",
    "indexer-stuck": r"magento indexer:reset .*catalog_product_price",
    "maintenance": r"magento maintenance:disable",
    "opcache-full": r"systemctl (restart|reload) '?php",
    "rabbitmq-down": _RUN + r"rabbitmq",
    "redis-down": _RUN + r"(redis|valkey)",
    "redis-full": r"redis-cli config set maxmemory",
    "search-alias-missing": r"magento indexer:reindex .*catalogsearch_fulltext",
    "search-drift": r"magento indexer:reindex .*catalogsearch_fulltext",
    "varnish-down": _RUN + r"varnish",
}
"""Fault to the command that ends it. What is missing here is repaired elsewhere: by a payment provider, a
developer or a merchant."""


def report(state: Path, words: Sequence[str]) -> str:
    """End the faults that a command repairs; return what a person at the terminal reads."""
    command = " ".join(words)
    ended = [
        fault
        for fault in sorted(faults.switched_on(state))
        if fault in REPAIRS and re.search(REPAIRS[fault], command)
    ]
    for fault in ended:
        faults.switch_off(state, fault)
    return f"[{command}: ends {', '.join(ended)}]" if ended else f"[not in the sandbox: {command}]"


def run(state: Path, words: Sequence[str]) -> str:
    """Answer a command whose answer the sandbox knows; report any other."""
    if config_show.COMMAND in words:
        endpoints = json.loads((state / ENDPOINTS).read_text(encoding="utf-8"))
        return config_show.answer(endpoints["database"], words)
    return report(state, words)


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), sys.argv[2:]))
