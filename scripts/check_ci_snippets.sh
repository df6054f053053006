#!/usr/bin/env bash
# Checks the pipelines of deploy/ci and the compose files against their schemas, with a checker of its own in build/.
# The Jenkinsfile is not checked here: its checker needs ten minutes to install. tests/exporter/deploys reads all three.
set -euo pipefail
cd "$(dirname "$0")/.."

checker=build/check-jsonschema
if [ ! -x "$checker/bin/check-jsonschema" ]; then
    python3 -m venv "$checker"
    "$checker/bin/pip" install --quiet --disable-pip-version-check check-jsonschema==0.39.0 || {
        rm -rf "$checker"
        echo "left out: check-jsonschema cannot be installed here"
        exit 0
    }
fi
"$checker/bin/check-jsonschema" --builtin-schema vendor.gitlab-ci deploy/ci/gitlab-ci.yml
"$checker/bin/check-jsonschema" --builtin-schema vendor.github-workflows deploy/ci/github-action.yml
"$checker/bin/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.yml deploy/compose/beside-a-shop.yml
