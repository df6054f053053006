"""Marks on the graphs: what fired, and what somebody did to the shop."""

from __future__ import annotations

from dashboards.lib.page import Annotation
from dashboards.lib.query import ALERTS, series
from dashboards.lib.style import Colour

FIRING = Annotation(
    name="Firing alerts",
    expr=series(
        ALERTS, alertname="=~Magento.+", alertstate="firing", severity="=~critical|warning", job="=~$job"
    ).now,
    title="{{alertname}}",
    text="{{severity}} {{store}}",
    tags="alertname,severity,store",
    colour=Colour.CRITICAL,
)
