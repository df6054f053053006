"""The jobs of cron group `index`: full reindexes, views worked off their changelogs, changelogs cleaned."""

from collections.abc import Mapping
from typing import Final

from sandbox.shop import magento
from sandbox.shop.simulation.cron import Job, JobError
from sandbox.shop.simulation.world import Component, utc_now

STUCK_INDEXER: Final = "catalog_product_price"
INVALID_INDEXER: Final = "catalogrule_product"
RESET_VIEW: Final = "catalogsearch_fulltext"
RESET_AHEAD: Final = 100_000
"""How far a view is put ahead of its emptied changelog: more changes than anyone makes while watching."""

REINDEX_SECONDS: Final = 4.0
VIEW_SECONDS: Final = 0.5


def reindex_all_invalid(part: Component) -> None:
    """Reindex what is invalid, in the order of the configuration; what is behind one that throws waits."""
    _repair(part)
    if part.fault("indexer-invalid"):
        _set_status(part, INVALID_INDEXER, "invalid")
    found = part.database.rows("SELECT indexer_id FROM {indexer_state} WHERE status = 'invalid'")
    invalid = {code for (code,) in found}
    for indexer in magento.INDEXERS.values():
        if indexer.code in invalid:
            _reindex(part, indexer)


def _reindex(part: Component, indexer: magento.Indexer) -> None:
    """Reindex all; the view's version moves to the newest change at the start, as Magento does.

    A reindex that throws lets the view go on, leaves the indexer invalid and ends the job in error.
    """
    _set_status(part, indexer.code, "working")
    if indexer.scheduled:
        part.database.update(
            "mview_state",
            {"view_id": indexer.view},
            status="suspended",
            version_id=_newest(part, indexer.view),
            updated=utc_now(),
        )
    part.world.wait(REINDEX_SECONDS)
    if indexer.scheduled:
        part.database.update("mview_state", {"view_id": indexer.view}, status="idle", updated=utc_now())
    if indexer.code == INVALID_INDEXER and part.fault("indexer-invalid"):
        _set_status(part, indexer.code, "invalid")
        raise JobError("SQLSTATE[42S22]: Column not found: 1054 Unknown column 'sandbox' in 'field list'")
    _set_status(part, indexer.code, "valid")


def update_all_views(part: Component) -> None:
    """Work every enabled and idle view off its changelog."""
    _stick(part)
    _empty_changelog(part)
    views = part.database.rows(
        "SELECT view_id, version_id FROM {mview_state} WHERE mode = 'enabled' AND status = 'idle'"
    )
    for view, version in views:
        newest = _newest(part, view)
        if newest > version and not part.world.stopping.is_set():
            _work_off(part, view, newest)


def _work_off(part: Component, view: str, newest: int) -> None:
    part.database.update("mview_state", {"view_id": view}, status="working", updated=utc_now())
    part.world.wait(VIEW_SECONDS)
    part.database.update(
        "mview_state", {"view_id": view}, version_id=newest, status="idle", updated=utc_now()
    )


def clean_all_changelogs(part: Component) -> None:
    """Delete the changes before each view's version; the row at the version stays."""
    views = part.database.rows("SELECT view_id, version_id FROM {mview_state} WHERE mode = 'enabled'")
    for view, version in views:
        part.database.execute(f"DELETE FROM {{{view}_cl}} WHERE version_id < %s", (version,))


def apply_catalog_rules(part: Component) -> None:
    """Renew the rules' prices for yesterday, today and tomorrow; the rule index is then invalid by design."""
    part.database.execute(
        "INSERT IGNORE INTO {catalogrule_product_price}"
        " (rule_date, customer_group_id, product_id, rule_price, website_id)"
        " VALUES (UTC_DATE(), 0, 1, 9, 1), (UTC_DATE() + INTERVAL 1 DAY, 0, 1, 9, 1)"
    )
    part.database.execute(
        "DELETE FROM {catalogrule_product_price} WHERE rule_date < UTC_DATE() - INTERVAL 1 DAY"
    )
    _set_status(part, "catalogrule_rule", "invalid")


JOBS: Final[Mapping[str, Job]] = {
    "indexer_reindex_all_invalid": reindex_all_invalid,
    "indexer_update_all_views": update_all_views,
    "indexer_clean_all_changelogs": clean_all_changelogs,
}


def _newest(part: Component, view: str) -> int:
    return int(part.database.value(f"SELECT COALESCE(MAX(version_id), 0) FROM {{{view}_cl}}"))


def _set_status(part: Component, code: str, status: str) -> None:
    part.database.update("indexer_state", {"indexer_id": code}, status=status, updated=utc_now())


def _stick(part: Component) -> None:
    """Leave view and indexer `working`, as a killed process does."""
    if part.fault("indexer-stuck"):
        status = part.database.value(
            "SELECT status FROM {indexer_state} WHERE indexer_id = %s", (STUCK_INDEXER,)
        )
        if status != "working":
            _set_status(part, STUCK_INDEXER, "working")
            part.database.update(
                "mview_state",
                {"view_id": magento.INDEXERS[STUCK_INDEXER].view},
                status="working",
                updated=utc_now(),
            )


def _empty_changelog(part: Component) -> None:
    """Put a view's version ahead of its changelog, as it is after the changelog was truncated by hand."""
    if part.fault("changelog-reset"):
        newest = _newest(part, RESET_VIEW)
        part.database.execute(
            "UPDATE {mview_state} SET version_id = %s WHERE view_id = %s AND version_id <= %s",
            (newest + RESET_AHEAD, RESET_VIEW, newest),
        )


def _repair(part: Component) -> None:
    """Do what the person on call does once the cause is gone; also after a crash of this simulation."""
    if not part.fault("indexer-stuck"):
        for code in [
            row[0]
            for row in part.database.rows("SELECT indexer_id FROM {indexer_state} WHERE status = 'working'")
        ]:
            _set_status(part, code, "invalid")
        part.database.execute(
            "UPDATE {mview_state} SET status = 'idle', updated = UTC_TIMESTAMP() WHERE status <> 'idle'"
        )
    if not part.fault("changelog-reset"):
        newest = _newest(part, RESET_VIEW)
        part.database.execute(
            "UPDATE {mview_state} SET version_id = %s WHERE view_id = %s AND version_id > %s",
            (newest, RESET_VIEW, newest),
        )
