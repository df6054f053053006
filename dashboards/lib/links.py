"""Links that go one level deeper and keep the data source, the shop, the store and the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dashboards.lib.style import Json
from exporter.core.panels import panel_id
from promql.metrics import SHOP

_SHOP: Final = "".join(f"&${{{label}:queryparam}}" for label in SHOP)
_KEPT: Final = f"${{__url_time_range}}&${{datasource:queryparam}}{_SHOP}"

ROW_STORE: Final = "${__data.fields.store}"


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another dashboard of the pack, or to one panel of it.

    ``sets`` are variables of the target to set, as pairs of name and value; a
    store that is not set is kept as it is.
    """

    title: str
    uid: str
    panel: str = ""
    sets: tuple[tuple[str, str], ...] = ()

    @property
    def url(self) -> str:
        """The address, relative to Grafana's root."""
        given = dict(self.sets)
        store = "" if "store" in given else "&${store:queryparam}"
        extra = "".join(f"&var-{name}={value}" for name, value in self.sets)
        view = f"&viewPanel={panel_id(self.uid, self.panel)}" if self.panel else ""
        return f"/d/{self.uid}?{_KEPT}{store}{extra}{view}"

    def as_data_link(self) -> Json:
        """Return the link of a value, a series or a cell."""
        return {"title": self.title, "url": self.url, "targetBlank": False}

    def as_panel_link(self) -> Json:
        """Return the link in a panel's header, in the full shape that Grafana's schema asks for."""
        return _full(self.title, self.url)


@dataclass(frozen=True, slots=True)
class Page:
    """A link to a page outside the dashboards, such as a runbook."""

    title: str
    url: str

    def as_data_link(self) -> Json:
        """Return the link of a value, a series or a cell."""
        return {"title": self.title, "url": self.url, "targetBlank": True}

    def as_panel_link(self) -> Json:
        """Return the link in a panel's header."""
        return {**_full(self.title, self.url), "targetBlank": True}


def _full(title: str, url: str) -> Json:
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": False,
        "keepTime": False,
        "tags": [],
        "targetBlank": False,
        "title": title,
        "tooltip": "",
        "type": "link",
        "url": url,
    }
