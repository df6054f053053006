"""Deployment: which Magento this is, whether it is in maintenance, when it was last deployed."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.core.collector import Collector, Context
from exporter.core.metrics import Sample, gauge
from exporter.core.ports import Deploy
from exporter.magento.releases import newer_patch, patch_is_known, support_ends
from exporter.reading.instants import instant

INFO = gauge(
    "magento_info",
    "Always 1; version and edition by composer.lock, mode by env.php (MAGE_MODE); empty where unknown.",
    "version",
    "edition",
    "mode",
)
SUPPORT_ENDS = gauge(
    "magento_support_end_timestamp_seconds",
    "Unix time at which Adobe's standard support of this version's line ends, security fixes included. Absent"
    " where that is not known, as of Mage-OS.",
    "version",
)
PATCH_MISSING = gauge(
    "magento_security_patch_missing",
    "1 if a newer patch of this version's line is out, as far as this exporter knows, else 0. Absent for an"
    " unknown line.",
    "version",
)
QUEUE_CONNECTION = gauge(
    "magento_queue_default_connection",
    "Always 1; the default connection of the queues by env.php: db, amqp, stomp or a name of the shop's own.",
    "connection",
)
MAINTENANCE = gauge("magento_maintenance_mode", "Whether var/.maintenance.flag exists (1): visitors get 503.")
DEPLOYED = gauge(
    "magento_static_content_deployed_timestamp_seconds",
    "Unix time of the last static content deployment (pub/static/deployed_version.txt).",
)
DEPLOY_STARTED = gauge(
    "magento_deploy_started_timestamp_seconds",
    "Unix time at which the last deployment began that `magento-exporter deploy` marked.",
    "release",
)
DEPLOY_ENDED = gauge(
    "magento_deploy_ended_timestamp_seconds",
    "Unix time at which that deployment ended; absent while it is going on.",
    "release",
)


class DeploymentCollector(Collector):
    """Version, mode, maintenance and the last deployment."""

    name = "deployment"
    help = "Version, mode, maintenance flag and last deployment, from the shop's directory."
    notes = """
    Read from the shop's directory where the exporter can see it (`magento_root`): `composer.lock`,
    `app/etc/env.php`, `var/.maintenance.flag` and `pub/static/deployed_version.txt`. With several web
    nodes, this is the state of one of them.

    `magento-exporter deploy start --magento-root` and `end` leave a mark in `var/`, from which come
    `magento_deploy_started_timestamp_seconds` and `magento_deploy_ended_timestamp_seconds`
    (docs/deployments.md).

    The dates of support are those that Adobe published by August 2026. Extended support, which is paid for,
    is not counted. So are the newest patches of each line: install a newer exporter to know of newer ones.
    Up to 2.4.4 few queues follow `magento_queue_default_connection`.
    """
    source = "files"
    metrics = (
        INFO,
        SUPPORT_ENDS,
        PATCH_MISSING,
        QUEUE_CONNECTION,
        MAINTENANCE,
        DEPLOYED,
        DEPLOY_STARTED,
        DEPLOY_ENDED,
    )

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield what the files say."""
        files = context.files
        yield MAINTENANCE.sample(float(files.maintenance()))
        edition, version = files.product()
        yield INFO.sample(1, version=version, edition=edition, mode=files.mode())
        ends = support_ends(edition, version)
        if ends is not None:
            yield SUPPORT_ENDS.sample(ends, version=version)
        if patch_is_known(edition, version):
            missing = newer_patch(edition, version) is not None
            yield PATCH_MISSING.sample(float(missing), version=version)
        connection = files.queue_connection()
        if connection:
            yield QUEUE_CONNECTION.sample(1, connection=connection)
        deployed = instant(files.static_deployed_at(), context.now)
        if deployed is not None:
            yield DEPLOYED.sample(deployed)
        yield from _marked(files.deploy(), context.now)


def _marked(deploy: Deploy | None, now: float) -> Iterable[Sample]:
    if deploy is None:
        return
    for metric, moment in ((DEPLOY_STARTED, deploy.started), (DEPLOY_ENDED, deploy.ended)):
        known = instant(moment, now)
        if known is not None:
            yield metric.sample(known, release=deploy.release)
