"""The maintenance flag was forgotten."""

from __future__ import annotations

from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import MINUTE, At, Cases, Input
from alerts.lib.model import NoData, Panel, Severity, Team
from alerts.selling.common import selling
from alerts.thresholds import critical
from exporter.collectors import deployment
from promql.expr import series

ALERTS: Final = (
    selling(
        name="MagentoMaintenanceForgotten",
        severity=Severity.CRITICAL,
        team=Team.PLATFORM,
        service="storefront",
        value=series(deployment.MAINTENANCE),
        op="==",
        threshold=1,
        for_=int(critical(limits.MAINTENANCE_SECONDS)),
        keep_firing_for=15 * MINUTE,
        no_data=NoData.OPTIONAL,
        maintenance=False,
        summary="The shop is in maintenance mode, and has been for half an hour.",
        description="{{ $labels.instance }} answers every visitor with 503: var/.maintenance.flag is there.",
        impact="Nobody can buy.",
        first_action="Ask whether a deployment is running; if none is, bin/magento maintenance:disable.",
        why="An upgrade may take twenty minutes at night. For a longer planned window, set a silence that "
        "ends with it.",
        panel=Panel("magento-overview", "maintenance"),
        cases=Cases(
            inputs={"maintenance": Input(deployment.MAINTENANCE, bad=At(1), good=At(0))},
            expected_description="shop:9816 answers every visitor with 503: var/.maintenance.flag is there.",
        ),
    ),
)
