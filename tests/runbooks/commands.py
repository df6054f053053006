"""What a runbook may tell people to run, and the tools its commands are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PROGRAMS: Final = frozenset(
    {
        "amtool",
        "awk",
        "bin/magento",
        "cat",
        "cd",
        "composer",
        "crontab",
        "curl",
        "cut",
        "date",
        "df",
        "echo",
        "export",
        "find",
        "grep",
        "head",
        "journalctl",
        "kill",
        "ls",
        "magento-exporter",
        "md5sum",
        "mysql",
        "n98-magerun2",
        "php",
        "ps",
        "rabbitmqctl",
        "rabbitmq-plugins",
        "redis-cli",
        "sed",
        "sleep",
        "sort",
        "systemctl",
        "tail",
        "true",
        "truncate",
        "uniq",
        "varnishadm",
        "varnishlog",
        "varnishstat",
        "wc",
        "xargs",
    }
)

MAGENTO: Final = frozenset(
    {
        "app:config:import",
        "app:config:status",
        "cache:clean",
        "cache:disable",
        "cache:enable",
        "cache:flush",
        "cache:status",
        "config:set",
        "config:show",
        "cron:install",
        "cron:remove",
        "cron:run",
        "indexer:info",
        "indexer:reindex",
        "indexer:reset",
        "indexer:set-mode",
        "indexer:set-status",
        "indexer:show-mode",
        "indexer:status",
        "maintenance:disable",
        "maintenance:enable",
        "maintenance:status",
        "queue:consumers:list",
        "queue:consumers:restart",
        "queue:consumers:start",
        "setup:db:status",
        "setup:upgrade",
        "inventory:reservation:list-inconsistencies",
        "inventory:reservation:create-compensations",
    }
)
"""Commands of bin/magento that exist (fact sheet; 2.3 to 2.4.8 unless a page says newer)."""

LOOKS: Final = frozenset(
    {
        "app:config:status",
        "cache:status",
        "indexer:info",
        "indexer:show-mode",
        "indexer:status",
        "inventory:reservation:list-inconsistencies",
        "maintenance:status",
        "queue:consumers:list",
        "setup:db:status",
    }
)
"""Those that look only. What they print decides what to do, so they stand in a block of their own.
``config:show`` may stand before ``config:set``: what it prints is the undo."""

SETTINGS: Final[Mapping[str, str]] = {
    r"carriers/ups/active": "Ups",
    r"checkout/options/(guest_checkout|\$name)": "Checkout",
    r"dev/grid/async_indexing": "Sales",
    r"payment/\$METHOD/(active|\$name)": "Payment, OfflinePayments, and each provider's own module",
    r"recaptcha_frontend/type_for/place_order": "ReCaptchaCheckout",
    r"recaptcha_frontend/type_invisible/public_key": "ReCaptchaVersion2Invisible",
    r"sales/backpressure/(enabled|guest_limit)": "Quote",
    r"sales/orders/delete_pending_after": "Sales",
    r"sales_email/general/async_sending": "Sales",
    r"system/cron/(default|index)/(history_(success|failure)_lifetime|schedule_(ahead_for|lifetime))": "Cron",
    r"system/cron/(default|index)/use_separate_process": "Cron",
    r"system/full_page_cache/caching_application": "PageCache",
}
"""What ``config:set`` and ``config:show`` may name, and the module whose ``etc/adminhtml/system.xml`` has it.

Both commands refuse what is no field there (``Magento\\Config\\Model\\Config\\PathValidator``): the
beginning of a path (2.4; magento2 #39610), and what has no field, as ``csp/mode/*/report_only`` (#38850)."""

MAGERUN: Final = frozenset(
    {
        "sys:cron:history",
        "sys:cron:kill",
        "sys:cron:run",
        "sys:cron:list",
        "index:list",
        "index:trigger:recreate",
        "config:data:mview",
        "sales:sequence:add",
        "dev:report:count",
    }
)

VARIABLES: Final = frozenset(
    {"MAGENTO", "EXPORTER", "PROMETHEUS", "ALERTMANAGER", "STOREFRONT", "PREFIX", "SENTINELS"}
)
"""What a page may use beside the labels of its alert."""
