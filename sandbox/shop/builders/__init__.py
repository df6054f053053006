"""Builders: each writes once what Magento writes for one thing that happens, at any time in the past.

Tests and the benchmark are written with them. `sandbox.shop.simulation` is the other half: shoppers, cron,
indexers and consumers that run on their own, and call the builders when something happens.
"""
