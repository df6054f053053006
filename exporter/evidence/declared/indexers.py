"""Evidence of the alerts on indexers."""

from __future__ import annotations

from typing import Final

from exporter.collectors import cron, indexers
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.declared.shared import HOUR, LOCK_WAITERS
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, Pick, PromQL, Unit

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
_PRICE_CHANGES: Final = PromQL(
    "price_changes",
    "changes of prices in an hour",
    query=f'3600 * sum(deriv({indexers.CHANGELOG_VERSION.name}{{indexer="catalog_product_price",%s}}[1h]))',
)
_FULL_ERRORS: Final = PromQL(
    "full_errors",
    "failed runs in half an hour of the job that rebuilds",
    query=(
        f'sum(increase({cron.RUNS.name}{{job_code="indexer_reindex_all_invalid",status="error",%s}}[30m]))'
        " or vector(0)"
    ),
)
_FULL_DONE: Final = OwnSeries(
    "full_done",
    "since the job that rebuilds succeeded",
    Unit.SECONDS,
    metric=cron.LAST_SUCCESS,
    labels={"job_code": "indexer_reindex_all_invalid"},
    age=True,
)
_OTHERS_WORKING: Final = OwnSeries(
    "others_working",
    "indexers that are rebuilt now",
    metric=indexers.STATE,
    pick=Pick.SUM,
    labels={"state": "working"},
    ignore=("indexer",),
)
_WORKING: Final = OwnSeries(
    "working", "its state is working", Unit.YES_NO, metric=indexers.STATE, labels={"state": "working"}
)
_SINCE: Final = OwnSeries("since", "since its state changed", Unit.SECONDS, metric=indexers.UPDATED, age=True)
_VIEW_WORKING: Final = OwnSeries(
    "view_working",
    "its view is working",
    Unit.YES_NO,
    metric=indexers.VIEW_STATE,
    labels={"state": "working"},
)
_VIEW_SUSPENDED: Final = OwnSeries(
    "view_suspended",
    "its view is suspended",
    Unit.YES_NO,
    metric=indexers.VIEW_STATE,
    labels={"state": "suspended"},
)
_ALL_MISSING: Final = OwnSeries(
    "all_missing",
    "indexers whose changelog is missing",
    metric=indexers.CHANGELOG_MISSING,
    pick=Pick.SUM,
    ignore=("indexer",),
    absent=0.0,
)
_AHEAD: Final = OwnSeries(
    "ahead",
    "views that are ahead of their changelog",
    metric=indexers.VERSION_AHEAD,
    pick=Pick.POSITIVE,
    ignore=("indexer",),
    absent=0.0,
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
        facts=(_MISSING, _WORKING, _SINCE, _JOB, LOCK_WAITERS),
        hypotheses=(
            Hypothesis(
                "its changelog is missing, so it stopped at the start",
                above("missing"),
            ),
            Hypothesis("it waits for a lock", above("lock_waiters")),
            Hypothesis(
                "the process was killed: deploy, memory, closed terminal",
                both(above("working"), above("since", HOUR), at_most("missing")),
            ),
            Hypothesis(
                "it runs, and is long", both(above("working"), at_most("since", HOUR), at_most("missing"))
            ),
        ),
    ),
    Evidence(
        "MagentoIndexerViewStuck",
        facts=(_VIEW_WORKING, _VIEW_SUSPENDED, _WORKING, _JOB),
        hypotheses=(
            Hypothesis(
                "both left behind by one killed process", both(above("view_working"), above("working"))
            ),
            Hypothesis("a partial update was killed", both(above("view_working"), at_most("working"))),
            Hypothesis("a full rebuild runs, or died", both(above("view_suspended"), above("working"))),
            Hypothesis(
                "left behind by a killed rebuild, maybe of a shared index",
                both(above("view_suspended"), at_most("working")),
            ),
        ),
    ),
    Evidence(
        "MagentoIndexerInvalid",
        facts=(_FULL_ERRORS, _FULL_DONE, _OTHERS_WORKING),
        hypotheses=(
            Hypothesis("the rebuild throws", above("full_errors")),
            Hypothesis(
                "a rebuild before it runs, or hangs",
                both(at_most("full_errors"), above("others_working"), above("full_done", 900)),
            ),
            Hypothesis(
                "the job is not run",
                both(at_most("full_errors"), at_most("others_working"), above("full_done", 900)),
            ),
            Hypothesis(
                "something invalidates it again while it is rebuilt",
                both(at_most("full_errors"), at_most("full_done", 900)),
            ),
        ),
    ),
    Evidence(
        "MagentoIndexerVersionAhead",
        facts=(_AHEAD, _CHANGES),
        hypotheses=(
            Hypothesis("a dump was restored that leaves out `_cl` tables", above("ahead", 1)),
            Hypothesis(
                'the changelog was emptied by hand to "clear the backlog"',
                both(above("ahead"), at_most("ahead", 1)),
            ),
        ),
    ),
    Evidence(
        "MagentoIndexerChangelogMissing",
        facts=(_ALL_MISSING,),
        hypotheses=(
            Hypothesis("a dump without `_cl` tables was restored", above("all_missing", 3)),
            Hypothesis(
                "somebody or a script dropped it", both(above("all_missing"), at_most("all_missing", 3))
            ),
        ),
    ),
    Evidence(
        "MagentoPricesMissing",
        facts=(_FULL_ERRORS, _PRICE_CHANGES),
        hypotheses=(
            Hypothesis("an import or a price rule made them 0", above("price_changes", 100)),
            Hypothesis("a rebuild failed half way", above("full_errors")),
            Hypothesis(
                "the index was emptied, or a dump without it was restored",
                both(at_most("full_errors"), at_most("price_changes", 100)),
            ),
        ),
    ),
)
