"""Every exception that this project raises on purpose, drawn as one tree.

::

    ExporterError
    ├── UsageError            the user's mistake: one clear line, exit code 2
    │   ├── SettingsError     a setting is unknown, malformed, missing or impossible
    │   ├── TargetsError      the targets of other exporters cannot be written
    │   ├── NotificationError what the webhook for alerts was sent cannot be taken
    │   └── EnvPhpError       app/etc/env.php cannot be read
    │       └── NotPlainData  it can, but what it returns is not certain without running it
    ├── SourceError           a backend did not give what a collector asked for
    │   ├── SourceUnavailable cannot connect, or the connection was lost
    │   ├── SourceLimited     it answers, and lets us have no more connections
    │   ├── SourceTimeout     the backend, or our limit on it, ended the request
    │   ├── AccessDenied      a right is missing
    │   │   └── LoginRefused  nobody is let in with this login, or from here
    │   ├── MissingTable      the shop has no such table
    │   ├── MissingColumn     the table lacks a column (older or changed schema)
    │   └── UnexpectedAnswer  the backend answered something that cannot be understood
    ├── StateUnavailable      the exporter's own state file cannot be read or written
    └── SpecError             a collector broke its own declaration (a programming error)

The ``reason`` of an error is the value of the label of the same name in
``magento_collector_errors_total``: a closed set, never free text.
"""

from __future__ import annotations

from typing import ClassVar, Final


class ExporterError(Exception):
    """Base of every error raised on purpose."""

    reason: ClassVar[str] = "internal"
    common: bool = False
    """Whether every collector of the source meets this error: it is about the source, not about one."""


class UsageError(ExporterError):
    """The user asked for something impossible; the command line ends with exit code 2."""


class SettingsError(UsageError):
    """A setting is unknown, malformed, missing or contradicts another one."""


class TargetsError(UsageError):
    """The files of targets cannot be written."""


class NotificationError(UsageError):
    """What was sent to the webhook for alerts cannot be taken. ``status`` is that of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class EnvPhpError(UsageError):
    """``app/etc/env.php`` cannot be read."""


class NotPlainData(EnvPhpError):  # noqa: N818 - names the condition; the base class says Error
    """``app/etc/env.php`` is no plain data: what it returns is not certain without running it."""


class SourceError(ExporterError):
    """A backend did not give what a collector asked for."""


class SourceUnavailable(SourceError):  # noqa: N818 - names the condition; the base class says Error
    """The backend cannot be reached, or the connection to it was lost."""

    reason = "unavailable"
    common = True


class SourceLimited(SourceError):  # noqa: N818
    """The backend answers, and lets this user have no more connections."""

    reason = "limited"
    common = True


class SourceTimeout(SourceError):  # noqa: N818
    """The statement or request ran into a time limit."""

    reason = "timeout"


class AccessDenied(SourceError):  # noqa: N818
    """The user lacks a right."""

    reason = "denied"


class LoginRefused(AccessDenied):
    """The backend lets nobody in with this login, or from here; or its certificate is not accepted."""

    common = True


class MissingTable(SourceError):  # noqa: N818
    """The table does not exist in this shop."""

    reason = "missing_table"


class MissingColumn(SourceError):  # noqa: N818
    """The column does not exist in this shop's version of the table."""

    reason = "missing_column"


class UnexpectedAnswer(SourceError):  # noqa: N818
    """The backend answered something that cannot be understood."""

    reason = "bad_data"


class StateUnavailable(ExporterError):  # noqa: N818
    """The exporter's own state file cannot be read or written; its sources are not the cause."""

    reason = "state"
    common = True


class SpecError(ExporterError):
    """A collector produced what it had not declared."""

    reason = "spec"


REASONS: Final = tuple(
    error.reason
    for error in (
        SourceUnavailable,
        SourceLimited,
        SourceTimeout,
        AccessDenied,
        MissingTable,
        MissingColumn,
        UnexpectedAnswer,
        StateUnavailable,
        SpecError,
        ExporterError,
    )
)
"""Every value the label ``reason`` can take."""
