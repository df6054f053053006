"""Evidence of the alerts on servers that cannot be reached."""

from __future__ import annotations

from typing import Final

from exporter.errors import AccessDenied, SourceTimeout, SourceUnavailable
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.model import Evidence, Hypothesis, SourceFails, Unit

_REFUSED: Final = SourceFails(
    "refused", "it refuses connections", Unit.YES_NO, reason=SourceUnavailable.reason
)
_SILENT: Final = SourceFails(
    "no_answer", "it does not answer in time", Unit.YES_NO, reason=SourceTimeout.reason
)
_FORBIDDEN: Final = SourceFails("forbidden", "it refuses the login", Unit.YES_NO, reason=AccessDenied.reason)

EVIDENCE: Final = (
    Evidence(
        "MagentoBackendDown",
        facts=(_REFUSED, _SILENT, _FORBIDDEN),
        hypotheses=(
            Hypothesis("the server is dead", both(above("refused"), at_most("no_answer"))),
            Hypothesis("the server hangs or is overloaded", above("no_answer")),
        ),
    ),
    Evidence(
        "MagentoSourceDown",
        facts=(_REFUSED, _SILENT, _FORBIDDEN),
        hypotheses=(
            Hypothesis("RabbitMQ is dead", both(above("refused"), at_most("no_answer"))),
            Hypothesis("RabbitMQ is frozen or blocked", above("no_answer")),
        ),
    ),
)
