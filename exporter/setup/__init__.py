"""``magento-exporter setup``: from an installed program to a service that Prometheus scrapes."""
