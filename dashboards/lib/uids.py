"""The addresses of the dashboards, for links between them."""

from __future__ import annotations

from typing import Final

OVERVIEW: Final = "magento-overview"
CHECKOUT: Final = "magento-checkout"
AFTER_ORDER: Final = "magento-after-order"
MONEY: Final = "magento-money"
CRON: Final = "magento-cron"
INDEXERS: Final = "magento-indexers"
QUEUES: Final = "magento-queues"
PAGE_CACHE: Final = "magento-page-cache"
DEPLOYS: Final = "magento-deploys"
SLO: Final = "magento-slo"
EXPORTER: Final = "magento-exporter"
GOLDEN_PATH: Final = "magento-golden-path"
DATABASE: Final = "magento-database"
HOST: Final = "magento-host"
SEARCH: Final = "magento-search"
REDIS: Final = "magento-redis"
PHP_WEB: Final = "magento-php-web"
RABBITMQ: Final = "magento-rabbitmq"
PROBES: Final = "magento-probes"
