"""Evidence of the alerts on indexers."""

from __future__ import annotations

from typing import Final

from exporter.collectors import cron, indexers
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, PromQL, Unit

_MISSING: Final = OwnSeries(
    "missing", "its changelog is missing", Unit.YES_NO, metric=indexers.CHANGELOG_MISSING, absent=0.0
)
_IDLE: Final = OwnSeries(
    "idle", "its view is idle", Unit.YES_NO, metric=indexers.VIEW_STATE, labels={"state": "idle"}
)
_JOB: Final = OwnSeries(
    "job",
    "since the job that updates views succeeded",
    Unit.SECONDS,
    metric=cron.LAST_SUCCESS,
    labels={"job_code": "indexer_update_all_views"},
    age=True,
)
_JOB_ERRORS: Final = PromQL(
    "job_errors",
    "failed runs of that job in half an hour",
    query=f'sum(increase({cron.RUNS.name}{{job_code="indexer_update_all_views",status="error",%s}}[30m]))',
)
_CHANGES: Final = PromQL(
    "changes",
    "changes a minute in its changelog",
    query=f"60 * sum(deriv({indexers.CHANGELOG_VERSION.name}{{%s}}[10m]))",
    labels=("indexer",),
)

EVIDENCE: Final = (
    Evidence(
        "MagentoIndexerBacklogGrowing",
        facts=(_IDLE, _JOB, _JOB_ERRORS, _CHANGES),
        hypotheses=(
            Hypothesis(
                "the view is passed by: not `idle`, nobody works on it",
                both(at_most("idle"), at_most("job", 300)),
            ),
            Hypothesis("the job is not run", both(above("job", 300), at_most("job_errors"))),
            Hypothesis(
                "another view throws, those behind it get no turn",
                both(above("job", 300), above("job_errors")),
            ),
            Hypothesis(
                "an import writes faster than the index",
                both(above("changes", 1000), at_most("job", 300)),
            ),
        ),
    ),
    Evidence(
        "MagentoIndexerStuck",
        facts=(_MISSING, _JOB),
        hypotheses=(
            Hypothesis(
                "its changelog is missing, so it stopped at the start",
                above("missing"),
            ),
        ),
    ),
)
