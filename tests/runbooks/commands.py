"""What a runbook may tell people to run, and the tools its commands are made of."""

from __future__ import annotations

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

VARIABLES: Final = frozenset({"MAGENTO", "EXPORTER", "PROMETHEUS", "ALERTMANAGER", "STOREFRONT", "PREFIX"})
"""What a page may use beside the labels of its alert."""
