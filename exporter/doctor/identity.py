"""As whom the doctor looks: what is open to root need not be open to the user that serves."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator, Sequence

from exporter.collectors import all_collectors
from exporter.doctor.examination import Examination, Finding, Status
from exporter.errors import UsageError


def become(name: str, groups: Sequence[str] = ()) -> None:
    """Be that user, with its own groups and these, for the rest of the process.

    The collectors are loaded before: the exporter's own files are not what is judged.
    """
    all_collectors()
    if os.geteuid() != 0:
        raise UsageError("--as-user: only root can be somebody else")
    try:
        user = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
        more = [grp.getgrnam(group).gr_gid for group in groups]
    except KeyError as error:
        raise UsageError(f"--as-user, --as-group: {error.args[0]}") from None
    os.setgroups(sorted({*os.getgrouplist(user.pw_name, user.pw_gid), *more}))
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def check(_: Examination) -> Iterator[Finding]:
    """Say as whom all of this was judged."""
    number = os.geteuid()
    if number == 0:
        yield Finding(
            Status.NOTE, "judged as", "root, to whom every file and socket is open",
            "if another user serves: magento-exporter doctor --as-user USER --as-group GROUP",
        )  # fmt: skip
    else:
        yield Finding(Status.OK, "judged as", _name(number))


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container's user has a number only
        return f"user {number}"
