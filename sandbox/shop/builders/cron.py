"""Runs of cron's jobs."""

from datetime import datetime

from sandbox.shop.database import ShopDatabase


class Cron:
    """Writes rows of `cron_schedule` as Magento's cron leaves them."""

    def __init__(self, database: ShopDatabase) -> None:
        self.database = database

    def add(
        self,
        job: str,
        status: str = "pending",
        *,
        due: datetime,
        started: datetime | None = None,
        ended: datetime | None = None,
    ) -> int:
        """Add one run of a job; returns its id."""
        moment = self.database.moment
        return self.database.insert(
            "cron_schedule",
            job_code=job,
            status=status,
            created_at=moment(due),
            scheduled_at=moment(due),
            executed_at=None if started is None else moment(started),
            finished_at=None if ended is None else moment(ended),
        )
