"""Evidence of the alerts on a break-in."""

from __future__ import annotations

from typing import Final

from exporter.collectors import security
from exporter.core.metrics import Metric
from exporter.evidence.conditions import above, at_most, both, either
from exporter.evidence.declared.shared import DEPLOYED, HOUR
from exporter.evidence.model import Evidence, Hypothesis, PromQL

_PROGRAM: Final = 30
"""Failed logins of an hour that no person makes."""


def _risen(name: str, text: str, metric: Metric, window: str) -> PromQL:
    return PromQL(
        name,
        text,
        query=f"sum({metric.name}{{%s}}) - sum(min_over_time({metric.name}{{%s}}[{window}]))",
    )


_SCRIPTS: Final = _risen("scripts", "script tags that were added in a day", security.SCRIPT_TAGS, "1d")
_ADMINS: Final = _risen("admins", "admin accounts that were added in a day", security.ADMIN_USERS, "1d")
_LOGINS: Final = _risen("logins", "failed logins of admins in a day", security.FAILED_LOGINS, "1d")
_LOGINS_NOW: Final = _risen("logins", "failed logins of admins in an hour", security.FAILED_LOGINS, "1h")

_STRANGER: Final = "a stranger has an admin account"
_HOLE: Final = "a hole in Magento or an extension was used"
_COLLEAGUE: Final = "a colleague did it"

EVIDENCE: Final = (
    Evidence(
        "MagentoScriptAdded",
        facts=(DEPLOYED, _ADMINS, _LOGINS),
        hypotheses=(
            Hypothesis(_STRANGER, either(above("admins"), above("logins", _PROGRAM))),
            Hypothesis("a release put it there", at_most("deployed", 2 * HOUR)),
            Hypothesis(_COLLEAGUE, both(at_most("admins"), at_most("logins", _PROGRAM))),
            Hypothesis(_HOLE, both(at_most("admins"), at_most("logins", _PROGRAM))),
        ),
    ),
    Evidence(
        "MagentoAdminAdded",
        facts=(_SCRIPTS, _LOGINS),
        hypotheses=(
            Hypothesis(_COLLEAGUE, both(at_most("scripts"), at_most("logins", _PROGRAM))),
            Hypothesis(_STRANGER, above("logins", _PROGRAM)),
            Hypothesis(_HOLE, above("scripts")),
        ),
    ),
    Evidence(
        "MagentoAdminLoginsFailing",
        facts=(_LOGINS_NOW, _SCRIPTS, _ADMINS),
        hypotheses=(
            Hypothesis("a program guesses passwords", above("logins", _PROGRAM)),
            Hypothesis("an integration uses an old password", at_most("logins", _PROGRAM)),
            Hypothesis("the password was guessed", either(above("scripts"), above("admins"))),
        ),
    ),
)
