#!/usr/bin/env bash
# Checks the generated rules with the programs of the Prometheus world: promtool always, pint where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

# As committed the rules have no addresses, and Prometheus refuses them.
rm -rf build/rules
.venv/bin/python -m alerts --demo --out build/rules
promtool check rules build/rules/*.yml deploy/prometheus/thresholds.yml.example
amtool check-config deploy/alertmanager/alertmanager.yml

if command -v pint > /dev/null; then
    pint --no-color --config .pint.hcl lint --require-owner=false build/rules
else
    echo "pint is not installed; skipped (go install github.com/cloudflare/pint/cmd/pint@latest)"
fi
