"""``magento-exporter deploy`` and ``gate``: announce a deployment, and judge it before and after."""
