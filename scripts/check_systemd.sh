#!/usr/bin/env bash
# Lets systemd itself read the unit (no running systemd is needed) and holds its exposure, from 0.0 safe to 10.0, low.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v systemd-analyze >/dev/null || {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    apt-get install --quiet=2 --yes --no-install-recommends systemd >/dev/null
}
unit=deploy/systemd/magento-exporter.service
work=$(mktemp -d -t systemd.XXXXXX)
trap 'rm -rf "$work"' EXIT

# The unit names the program where pipx puts it; systemd wants to see it, so the repository's own stands in.
sed "s#/usr/local/bin/magento-exporter#$PWD/.venv/bin/magento-exporter#" "$unit" >"$work/magento-exporter.service"
words=$(systemd-analyze verify "$work/magento-exporter.service" 2>&1) || { echo "$words" >&2; exit 1; }
[ -z "$words" ] || { echo "$words" >&2; exit 1; }
systemd-analyze security --offline=true --threshold=15 "$unit" | tail -1
