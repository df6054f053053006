"""The commands of ``magento-exporter``, a module each: a process imports only the one that it runs."""
