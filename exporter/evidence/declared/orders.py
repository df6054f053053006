"""Evidence of the alerts on what follows an order."""

from __future__ import annotations

from typing import Final

from exporter.collectors import cron, order_emails, order_grid
from exporter.evidence.conditions import above, at_most, both
from exporter.evidence.model import Evidence, Hypothesis, OwnSeries, Pick, PromQL, Unit


def _since_success(job_code: str) -> OwnSeries:
    return OwnSeries(
        "job",
        "since its job succeeded",
        Unit.SECONDS,
        metric=cron.LAST_SUCCESS,
        labels={"job_code": job_code},
        age=True,
    )


_EMAILS_ASYNC: Final = OwnSeries(
    "async", "sending is asynchronous", Unit.YES_NO, metric=order_emails.ASYNC_SENDING
)
_UNSENT: Final = OwnSeries("unsent", "e-mails that wait", metric=order_emails.UNSENT, pick=Pick.SUM)
_FALLING: Final = PromQL(
    "falling",
    "e-mails fewer than ten minutes ago",
    query=f"sum({order_emails.UNSENT.name}{{%s}} offset 10m) - sum({order_emails.UNSENT.name}{{%s}})",
    labels=("type",),
)
_GRID_MISSING: Final = OwnSeries("missing", "orders that are missing", metric=order_grid.MISSING)
_GRID_ASYNC: Final = OwnSeries(
    "async", "the grid is filled by cron", Unit.YES_NO, metric=order_grid.ASYNC_INDEXING
)

EVIDENCE: Final = (
    Evidence(
        "MagentoOrderEmailsUnsent",
        facts=(_UNSENT, _FALLING, _since_success("sales_send_order_emails"), _EMAILS_ASYNC),
        hypotheses=(
            Hypothesis(
                "the sending job does not run or ends in error",
                both(above("async"), above("job", 600)),
            ),
            Hypothesis(
                "the mail server refuses or is out of reach",
                both(at_most("job", 600), at_most("falling", 20)),
            ),
            Hypothesis(
                "a burst is larger than the limit per run", both(above("falling", 200), at_most("job", 600))
            ),
        ),
    ),
    Evidence(
        "MagentoOrdersMissingFromGrid",
        facts=(_GRID_MISSING, _GRID_ASYNC, _since_success("sales_grid_order_async_insert")),
        hypotheses=(
            Hypothesis("the job that copies does not run, or fails", both(above("async"), above("job", 600))),
            Hypothesis("single copies were lost to a lock", at_most("async")),
            Hypothesis(
                "an order was committed behind the copy's mark (releases of 2026)",
                both(above("async"), at_most("job", 600), above("missing")),
            ),
        ),
    ),
)
