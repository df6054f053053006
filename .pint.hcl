# Exceptions to pint's checks on build/rules, each with its reason.

parser {
  include = ["build/rules/.*.yml"]
}

checks {
  disabled = [
    # Whether the series exist is checked against the exporter's own declarations (tests/alerts), not a live server.
    "promql/series",
  ]
}

rule {
  match { kind = "alerting" }
  annotation "summary" { required = true, severity = "bug" }
  annotation "description" { required = true, severity = "bug" }
  annotation "runbook_url" { required = true, severity = "bug" }
  annotation "dashboard_url" { required = true, severity = "bug" }
  label "severity" {
    required = true
    value    = "critical|warning|info|none"
    severity = "bug"
  }
  label "team" { required = true, severity = "bug" }
}

rule {
  # The watchdog is always firing: that is its purpose.
  match { name = "MagentoWatchdog" }
  disable = ["alerts/comparison", "alerts/for"]
}
