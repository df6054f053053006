#!/usr/bin/env bash
# Lets Docker Compose itself read both compose files: `docker compose config`, built from its source as a Go module
# where the command is missing (three minutes once; kept in .sandbox/cache). Without Go it says so and ends with 1.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v2.40.3
cached=.sandbox/cache/docker-compose-$version

compose=()
if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
elif [ -x "$cached" ]; then
    compose=("$cached")
else
    command -v go >/dev/null || { echo "check_compose: neither docker compose nor go is installed" >&2; exit 1; }
    work=$(mktemp -d -t compose.XXXXXX)
    trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
    # `go install` refuses a module with exclude directives; built in a copy of its own tree it is what is released.
    source=$(cd "$work" && go mod download -json "github.com/docker/compose/v2@$version" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
    cp -r "$source" "$work/source"
    chmod -R u+w "$work/source"
    mkdir -p "$(dirname "$cached")"
    (cd "$work/source" && go build -trimpath -ldflags "-s -w" -o "$work/docker-compose" ./cmd)
    mv "$work/docker-compose" "$cached"
    compose=("$cached")
fi

# From a clean environment, as a user starts it: without .env, and with .env.example as it.
run() { env -i PATH="$PATH" HOME="$HOME" "${compose[@]}" --file docker-compose.yml "$@"; }
run config --quiet
run --env-file .env.example config --quiet
diff <(run --env-file /dev/null config) <(run --env-file .env.example config) ||
    { echo "check_compose: .env.example does not say the defaults" >&2; exit 1; }
diff <(run config --variables | awk 'NR > 1 { print $1 }' | sort) <(sed -nE 's/^([A-Z_]+)=.*/\1/p' .env.example | sort) ||
    { echo "check_compose: .env.example names other variables than docker-compose.yml uses" >&2; exit 1; }
echo "docker compose config: $(run config --services | wc -l) services, all variables named"

# Beside a shop: with what its head tells the user to export, and without.
beside() {
    env -i PATH="$PATH" HOME="$HOME" "$@" "${compose[@]}" --file deploy/compose/beside-a-shop.yml --profile grants config --quiet
}
beside SHOP=shop.example MAGENTO_ROOT=/var/www/html RUNBOOK_BASE=https://exporter.example/runbooks/ \
    GRAFANA_BASE=https://grafana.example GRAFANA_PASSWORD=x DATABASE_PASSWORD_FILE=/srv/password ENV_PHP_GROUP=33
if refusal=$(beside 2>&1); then echo "check_compose: beside-a-shop.yml takes no value for an answer" >&2; exit 1; fi
grep -q "required variable" <<<"$refusal" || { echo "check_compose: $refusal" >&2; exit 1; }
echo "docker compose config: beside-a-shop.yml too"
