"""The receiver that sends every alert to the exporter, in a configuration of Alertmanager that has none."""

from __future__ import annotations

from typing import Final

TOKEN_FILE: Final = "/etc/alertmanager/secrets/evidence_token"  # noqa: S105 - the name of a file
_ROUTES: Final = "  routes:\n"
_RECEIVERS: Final = "\nreceivers:\n"
_ROUTE: Final = """\
    - receiver: evidence
      matchers:
        - alertname =~ "Magento.+"
        - severity != "none"
      group_wait: 0s
      group_interval: 30s
      continue: true
"""
_RECEIVER: Final = """\
  - name: evidence
    webhook_configs:
      - url: {url}/api/alerts
        max_alerts: 50
        http_config:
          authorization:
            credentials_file: {token}
"""


def with_evidence(configuration: str, exporter: str) -> str:
    """Return the configuration whose alerts go to the exporter at this address first, and then to people."""
    receiver = _RECEIVER.format(url=exporter.rstrip("/"), token=TOKEN_FILE)
    routed = configuration.replace(_ROUTES, _ROUTES + _ROUTE, 1)
    return routed.replace(_RECEIVERS, _RECEIVERS + receiver, 1)
