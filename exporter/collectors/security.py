"""Signs of a break-in: admin accounts, their failed logins, and script tags in contents and settings.

Only numbers are read: no name and no content leaves the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from exporter.core.collector import Collector, Context, Refresh
from exporter.core.metrics import Sample, gauge
from exporter.core.query import Query

ACCOUNTS: Final = Query(
    "security_admin_users",
    """
    SELECT COUNT(*) AS accounts, COALESCE(SUM(failures_num), 0) AS failed
    FROM {admin_user}
    WHERE is_active = 1
    """,
    reads={"admin_user": ("is_active", "failures_num")},
)

_LENGTH: Final = 7
"""Characters of ``<script``; each one that is taken out makes the text so much shorter."""


def _in_contents(table: str) -> Query:
    return Query(
        f"security_{table}",
        f"""
        SELECT COALESCE(SUM(LENGTH(LOWER(content)) - LENGTH(REPLACE(LOWER(content), '<script', ''))), 0)
            DIV {_LENGTH} AS tags
        FROM {{{table}}}
        """,
        reads={table: ("content",)},
    )


IN_SETTINGS: Final = Query(
    "security_settings",
    f"""
    SELECT COALESCE(SUM(LENGTH(LOWER(value)) - LENGTH(REPLACE(LOWER(value), '<script', ''))), 0)
        DIV {_LENGTH} AS tags
    FROM {{core_config_data}}
    WHERE path LIKE 'design/%%'
    """,
    reads={"core_config_data": ("path", "value")},
)

PLACES: Final = {
    "cms_block": _in_contents("cms_block"),
    "cms_page": _in_contents("cms_page"),
    "configuration": IN_SETTINGS,
}

ADMIN_USERS = gauge("magento_admin_users", "Admin accounts that may log in (admin_user.is_active).")
FAILED_LOGINS = gauge(
    "magento_admin_failed_logins",
    "Failed logins of all active admin accounts, each since it last logged in (admin_user.failures_num).",
)
SCRIPT_TAGS = gauge(
    "magento_script_tags",
    "Script tags in CMS blocks, in CMS pages, and in the settings below design/, such as head and footer.",
    "place",
)


class SecurityCollector(Collector):
    """Admin accounts, failed logins, script tags."""

    name = "security"
    help = "Admin accounts, failed admin logins and script tags; from admin_user, the CMS and the settings."
    notes = """
    A login with a name that no account has is not counted: Magento notes it nowhere. A script that hides in
    another attribute, in a product or category, or in a file, is not seen. Blocks and pages that are switched
    off count as well.
    """
    source = "database"
    metrics = (ADMIN_USERS, FAILED_LOGINS, SCRIPT_TAGS)
    queries = (ACCOUNTS, *PLACES.values())
    refresh = Refresh(interval=300.0, max_staleness=900.0)

    def collect(self, context: Context) -> Iterable[Sample]:
        """Yield the samples of one run."""
        (found,) = context.database.rows(ACCOUNTS)
        yield ADMIN_USERS.sample(float(found["accounts"]))
        yield FAILED_LOGINS.sample(float(found["failed"]))
        for place, query in PLACES.items():
            (row,) = context.database.rows(query)
            yield SCRIPT_TAGS.sample(float(row["tags"]), place=place)
