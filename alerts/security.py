"""Signs of a break-in: an admin account, failed logins of admins, a script that was not there."""

from __future__ import annotations

from functools import partial
from typing import Final

from alerts import thresholds as limits
from alerts.lib.cases import HOUR, MINUTE, At, Cases, Input
from alerts.lib.model import Alert, Category, Panel, Severity, Team
from alerts.thresholds import critical
from exporter.collectors import security
from exporter.core.metrics import Metric
from promql.expr import Expr, over_time, series

_security: Final = partial(
    Alert,
    severity=Severity.URGENT,
    team=Team.PLATFORM,
    service="admin",
    category=Category.PLATFORM,
    for_=2 * MINUTE,
    keep_firing_for=HOUR,
    maintenance=False,
)


def _risen(metric: Metric, window: str) -> Expr:
    """Return by how much a gauge is above its lowest value of the window."""
    return series(metric) - over_time("min", series(metric)[window])


ALERTS: Final = (
    _security(
        name="MagentoScriptAdded",
        value=_risen(security.SCRIPT_TAGS, "2h"),
        threshold=critical(limits.NEW_SCRIPTS),
        scope=None,
        summary="Somebody has put a script into the shop's pages.",
        description="New script tags in {{ $labels.place }} in two hours: {{ $value }} (limit %limit%).",
        impact="If nobody of the shop did it, the script may send each card number to a thief.",
        first_action="Ask who did it. If nobody did, take the script out, and start the plan for a break-in.",
        why="Contents and the settings of head and footer get a script a few times a year. Thieves of card "
        "numbers put theirs there.",
        panel=Panel("magento-deploys", "scripts"),
        cases=Cases(
            entity={"place": "cms_block"},
            inputs={"tags": Input(security.SCRIPT_TAGS, bad=At(8), good=At(5), edge=At(5))},
            warm_up=10 * MINUTE,
            expected_description="New script tags in cms_block in two hours: 3 (limit 0).",
        ),
    ),
    _security(
        name="MagentoAdminAdded",
        value=_risen(security.ADMIN_USERS, "2h"),
        threshold=critical(limits.NEW_ADMINS),
        scope=None,
        summary="The shop has a new admin account.",
        description="New admin accounts, or old ones that are active again, in two hours: {{ $value }} "
        "(limit %limit%).",
        impact="If nobody of the shop made it, a stranger owns the shop: customers' data, prices, payments.",
        first_action="Ask who made it. If nobody did, switch it off, and start the plan for a break-in.",
        why="A shop gets an admin account a few times a year, and somebody knows of it. A break-in often "
        "begins or ends with one.",
        panel=Panel("magento-deploys", "admins"),
        cases=Cases(
            inputs={"accounts": Input(security.ADMIN_USERS, bad=At(8), good=At(5), edge=At(5))},
            warm_up=10 * MINUTE,
            expected_description="New admin accounts, or old ones that are active again, in two hours: 3 "
            "(limit 0).",
        ),
    ),
    _security(
        name="MagentoAdminLoginsFailing",
        value=_risen(security.FAILED_LOGINS, "1h"),
        threshold=critical(limits.FAILED_LOGINS),
        scope="",
        summary="Somebody guesses the password of an admin.",
        description="Failed logins of admins in an hour: {{ $value }} (limit %limit%).",
        impact="With the password, a stranger owns the shop. Until then, Magento locks the accounts.",
        first_action="Block the addresses that they come from, and let only known ones reach the admin.",
        why="A person gives up, or is locked, after six. More in one hour are tried by a program.",
        panel=Panel("magento-deploys", "logins"),
        cases=Cases(
            inputs={"failed": Input(security.FAILED_LOGINS, bad=At(25), good=At(3), edge=At(18))},
            warm_up=10 * MINUTE,
            expected_description="Failed logins of admins in an hour: 22 (limit 15).",
        ),
    ),
)
