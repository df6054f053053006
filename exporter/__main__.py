"""``python -m exporter`` is ``magento-exporter``."""

from exporter.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
