#!/usr/bin/env bash
# Checks the pipelines of deploy/ci and the compose files against their schemas, with a checker of its own in build/.
# The Jenkinsfile is compiled by Groovy's compiler, the language it is written in. Jenkins' own linter is part of a running
# Jenkins and cannot be had alone: that it knows every step and section is not checked. The commands in all three are
# checked by tests/exporter/deploys.
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

groovy=build/groovy/groovy-4.0.33.jar
if [ ! -f "$groovy" ] && ! { command -v java && command -v mvn; } >/dev/null; then
    echo "left out: neither java nor mvn for the Jenkinsfile"
    exit 0
fi
[ -f "$groovy" ] || mvn --quiet dependency:copy -Dartifact=org.apache.groovy:groovy:4.0.33 "-DoutputDirectory=${groovy%/*}"
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
java -cp "$groovy" org.codehaus.groovy.tools.FileSystemCompiler -d "$classes" deploy/ci/Jenkinsfile
echo "Jenkinsfile: Groovy compiles it"
