"""Deployment: which Magento this is, whether it is in maintenance, when it was last deployed."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.core.collector import Collector, Context
from exporter.core.metrics import Sample, gauge

INFO = gauge(
    "magento_info",
    "Always 1; version and edition by composer.lock, mode by env.php (MAGE_MODE); empty where unknown.",
    "version",
    "edition",
    "mode",
)
MAINTENANCE = gauge("magento_maintenance_mode", "Whether var/.maintenance.flag exists (1): visitors get 503.")
DEPLOYED = gauge(
    "magento_static_content_deployed_timestamp_seconds",
    "Unix time of the last static content deployment (pub/static/deployed_version.txt).",
)


class DeploymentCollector(Collector):
    """Version, mode, maintenance and the last deployment."""

    name = "deployment"
    help = "Version, mode, maintenance flag and last deployment, from the shop's directory."
    notes = """
    Read from the shop's directory where the exporter can see it (`magento_root`): `composer.lock`,
    `app/etc/env.php`, `var/.maintenance.flag` and `pub/static/deployed_version.txt`. With several web
    nodes, this is the state of one of them.
    """
    source = "files"
    metrics = (INFO, MAINTENANCE, DEPLOYED)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield what the files say."""
        files = context.files
        yield MAINTENANCE.sample(float(files.maintenance()))
        edition, version = files.product()
        yield INFO.sample(1, version=version, edition=edition, mode=files.mode())
        deployed = files.static_deployed_at()
        if deployed is not None:
            yield DEPLOYED.sample(deployed)
