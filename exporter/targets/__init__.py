"""``magento-exporter targets``: the files in which Prometheus finds the exporters of a shop's servers."""
