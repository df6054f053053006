"""A page of the exporter: style and script are part of it, and its policy forbids everything else."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Final

from fastapi.responses import HTMLResponse

from exporter import __version__

_HERE: Final = Path(__file__).parent
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body>
<header><a class="brand" href="{up}">Magento exporter <small>{version}</small></a>
<nav class="ways">{ways}</nav></header>
{body}
<script>{script}</script></body></html>
"""
_WAYS: Final = (("Incidents", "incidents"), ("Runbooks", "runbooks/"))


def answer(title: str, body: str, *, up: str = "./") -> HTMLResponse:
    """Return a page with this title and body; ``up`` leads from it to the exporter's first page."""
    style, script = _asset("style.css"), _asset("runbooks.js")
    policy = (
        f"default-src 'none'; style-src {_allowed(style)}; script-src {_allowed(script)}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    ways = "".join(
        f'<a href="{up}{way}"{" aria-current=page" if name == title else ""}>{name}</a>'
        for name, way in _WAYS
    )
    page = _PAGE.format(
        title=escape(title),
        style=style,
        script=script,
        body=body,
        up=up,
        ways=ways,
        version=escape(__version__),
    )
    return HTMLResponse(page, headers=headers)


@lru_cache
def _asset(name: str) -> str:
    return (_HERE / "assets" / name).read_text(encoding="utf-8")


@lru_cache
def _allowed(text: str) -> str:
    """Return how a Content-Security-Policy names an inline style or script that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
