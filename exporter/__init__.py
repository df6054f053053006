"""Prometheus exporter for Magento 2 that runs outside the shop."""

__version__ = "0.1.0"
