"""The commands ``deploy`` and ``gate``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from exporter.deploys import marker, silence
from exporter.deploys.after import Times, after
from exporter.deploys.before import before
from exporter.deploys.questions import Questions
from exporter.deploys.verdict import Finding, Verdict, report, worst
from exporter.errors import SourceError, UsageError
from exporter.magento.deploy import RELEASE
from exporter.settings import Settings, read_secret
from exporter.sources.monitoring import Alertmanager, Prometheus, Server

_MINUTE: Final = 60.0
_LEAST_MINUTES: Final = 5.0
"""An attempt to order shows its end some minutes late: before that there is nothing to judge."""


def deploy_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``deploy``."""
    parser.add_argument("what", choices=["start", "end"], help="announce a deployment, or its end")
    parser.add_argument("--release", required=True, metavar="NAME", help="version, tag or commit")
    parser.add_argument("--alertmanager", default="", metavar="URL", help="where the silence is made")
    parser.add_argument(
        "--longest",
        type=float,
        default=30.0,
        metavar="MINUTES",
        help="when the silence ends anyway (30)",
    )
    _common(parser)


def gate_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``gate``."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--before", action="store_true", help="is now a moment to deploy?")
    which.add_argument("--after", action="store_true", help="does the shop sell as it did before?")
    parser.add_argument("--prometheus", required=True, metavar="URL", help="which one to ask")
    parser.add_argument("--peak-ok", action="store_true", help="deploy in busy hours too")
    parser.add_argument("--minutes", type=float, default=15.0, help="time after the deployment to judge (15)")
    parser.add_argument("--wait", action="store_true", help="wait until these minutes have passed")
    parser.add_argument("--release", default="", metavar="NAME", help="as given to `deploy`")
    parser.add_argument("--alertmanager", default="", metavar="URL", help="knows when it was deployed")
    _common(parser)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shop", default="", metavar="NAME", help="one shop of several in Prometheus")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="bearer token for both servers")


def deploy(settings: Settings, options: argparse.Namespace) -> int:
    """Announce a deployment: mark it for the exporter, silence what it causes; or end both."""
    _check(options.release)
    if not options.alertmanager and settings.magento_root is None:
        raise UsageError("deploy: give --alertmanager, --magento-root, or both")
    if settings.magento_root is not None:
        mark = marker.start if options.what == "start" else marker.end
        mark(settings.magento_root, options.release, now=time.time())
        print(f"deployment of {options.release}: its {options.what} is marked in {settings.magento_root}")
    try:
        if options.alertmanager:
            print(_silence(Alertmanager(Server(options.alertmanager, _token(options))), options))
    except SourceError as error:
        print(f"magento-exporter: {error}", file=sys.stderr)
        return 1
    return 0


def _silence(alertmanager: Alertmanager, options: argparse.Namespace) -> str:
    """Make the silence or end it, and return what to say about it."""
    release, shop, now = options.release, options.shop, time.time()
    if options.what == "start":
        made = silence.start(alertmanager, release, shop=shop, now=now, longest=options.longest * _MINUTE)
        return f"deployment of {release}: silence {made} for at most {options.longest:g} minutes"
    found = silence.end(alertmanager, release, shop=shop)
    return f"deployment of {release} ended after {(now - found.began) / _MINUTE:.1f} minutes"


def gate(_settings: Settings, options: argparse.Namespace) -> int:
    """Say whether to deploy now, or to keep a release: exit code 0 go, 1 hold, 2 cannot know."""
    questions = Questions(Prometheus(Server(options.prometheus, _token(options))), options.shop)
    try:
        findings = list(_findings(questions, options))
    except SourceError as error:
        findings = [Finding(Verdict.UNKNOWN, str(error))]
    print(report(findings))
    return worst(findings)


def _findings(questions: Questions, options: argparse.Namespace) -> Iterator[Finding]:
    if options.before:
        return before(questions, time.time(), peak_ok=options.peak_ok)
    return after(questions, _times(questions, options))


def _times(questions: Questions, options: argparse.Namespace) -> Times:
    """Return when the release was deployed; without one, just before these minutes."""
    wanted, now = options.minutes * _MINUTE, time.time()
    if options.minutes < _LEAST_MINUTES:
        raise UsageError(f"--minutes {options.minutes:g}: at least {_LEAST_MINUTES:g} are needed")
    if options.alertmanager and not options.release:
        raise UsageError("--alertmanager needs --release: it remembers deployments by their release")
    if not options.release:
        return Times(now - wanted, now - wanted, now)
    began, ended = _deployed(questions, options, now)
    rest = ended + wanted - now
    if rest > 0 and options.wait:
        time.sleep(rest)
        rest = 0.0
    if now - ended < _LEAST_MINUTES * _MINUTE and rest > 0:
        raise UsageError(f"{options.release} is not {_LEAST_MINUTES:g} minutes old: wait, or give --wait")
    return Times(began, ended, min(ended + wanted, time.time()))


def _deployed(questions: Questions, options: argparse.Namespace, now: float) -> tuple[float, float]:
    """Return begin and end, as Alertmanager remembers them or as the exporter saw them in the shop."""
    _check(options.release)
    if not options.alertmanager:
        seen = questions.deployed(options.release, now)
        if seen is None:
            raise UsageError(f"Prometheus knows no end of a deployment of {options.release}")
        return seen
    alertmanager = Alertmanager(Server(options.alertmanager, _token(options)))
    found = silence.find(alertmanager, options.release, shop=options.shop)
    if found is None:
        raise UsageError(f"Alertmanager remembers no deployment of {options.release}")
    return found.began, min(found.ended, now)


def _check(release: str) -> None:
    if not RELEASE.fullmatch(release):
        raise UsageError(f"--release {release}: letters, digits and ._+/-")


def _token(options: argparse.Namespace) -> Callable[[], str]:
    file: Path | None = options.token_file
    return str if file is None else lambda: read_secret(file)
