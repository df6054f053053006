"""Every source of the exporter under every fault that makes sense for it."""
