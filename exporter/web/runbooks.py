"""``/runbooks/`` and ``/runbooks/<alert>``: the pages that alerts link to, readable on a phone at 3 a.m.

The pages are the Markdown files of ``runbooks/``; a wheel carries them along.
They are served by the exporter itself so that a link works where the shop is,
without the internet.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape, unescape
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from markdown_it import MarkdownIt

from exporter.web.landing import STYLE
from exporter.web.site import Site

router: Final = APIRouter()

_PACKAGED: Final = Path(__file__).parent / "pages"
_IN_REPOSITORY: Final = Path(__file__).parents[2] / "runbooks"
_NAME: Final = re.compile(r"[A-Za-z0-9]{1,100}")
_FRONT_MATTER: Final = re.compile(r"\A---\n(.*?)\n---\n|<!--.*?-->\n?", re.DOTALL)
_HEADING: Final = re.compile(r"<h([1-4])>([^<]*)<")
_LABEL: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")
_NAVIGATION: Final = '<nav><a href="./">All runbooks</a> <a href="../">Exporter</a></nav>\n'
_STYLE: Final = (
    STYLE
    + """
body { max-width: 46rem; } pre { background: #8882; border-radius: .4rem; overflow-x: auto; padding: .7rem; }
code { font-size: .9em; overflow-wrap: anywhere; } pre code { overflow-wrap: normal; }
blockquote { border-left: .3rem solid var(--line); margin-left: 0; padding-left: 1rem; }
table { display: block; overflow-x: auto; }
"""
)
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body>
{body}
</body></html>
"""


def directory(chosen: Path | None) -> Path:
    """Return where the pages are: the user's, the wheel's, or the repository's."""
    if chosen is not None:
        return chosen
    return _PACKAGED if _PACKAGED.is_dir() else _IN_REPOSITORY


@router.api_route("/runbooks/", methods=["GET", "HEAD"], response_class=HTMLResponse)
async def index(request: Request) -> HTMLResponse:
    """List the runbooks."""
    site: Site = request.app.state.site
    names = sorted(file.stem for file in directory(site.runbooks).glob("*.md") if _NAME.fullmatch(file.stem))
    links = "\n".join(f'<li><a href="{escape(name)}">{escape(name)}</a></li>' for name in names)
    body = f'<p><a href="../">Exporter</a></p><h1>Runbooks</h1>\n<ul>{links}</ul>'
    return HTMLResponse(_PAGE.format(title="Runbooks", style=_STYLE, body=body))


@router.api_route(
    "/runbooks/{alert}",
    methods=["GET", "HEAD"],
    response_class=HTMLResponse,
    responses={404: {"description": "No such runbook"}},
)
async def runbook(request: Request, alert: str) -> Response:
    """Return one runbook as a page, with the alert's labels in the query string set as shell variables."""
    site: Site = request.app.state.site
    file = directory(site.runbooks) / f"{alert}.md"
    if not _NAME.fullmatch(alert) or not file.is_file():
        return PlainTextResponse("no such runbook\n", status_code=404)
    body = _rendered(file, file.stat().st_mtime_ns)
    page = _PAGE.format(title=escape(alert), style=_STYLE, body=_NAVIGATION + variables(request) + body)
    return HTMLResponse(page)


def variables(request: Request) -> str:
    """Return a block that sets the labels of the link (``?store=de``) as ``STORE``, or nothing.

    Only plain values are taken, since the block is made to be copied into a shell.
    """
    labels = {
        name: value
        for name, value in request.query_params.items()
        if _LABEL.fullmatch(name) and _PLAIN.fullmatch(value)
    }
    if not labels:
        return ""
    lines = "\n".join(f"{name.upper()}='{escape(value)}'" for name, value in sorted(labels.items()))
    return f"<p>The labels of this alert, for the commands below:</p><pre><code>{lines}</code></pre>"


def anchor(title: str) -> str:
    """Return the anchor of a heading: lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).strip().replace(" ", "-")


@lru_cache(maxsize=128)
def _rendered(file: Path, _changed: int) -> str:
    """Render one page's text; a changed file has another modification time and is rendered anew."""
    text = _FRONT_MATTER.sub("", file.read_text(encoding="utf-8"))
    html = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).render(text)
    # Pages link to one another as files; here they have no ending.
    html = re.sub(r'href="([A-Za-z0-9]+)\.md((?:#[^"]*)?)"', r'href="\1\2"', html)
    return _HEADING.sub(lambda found: f'<h{found[1]} id="{anchor(unescape(found[2]))}">{found[2]}<', html)
