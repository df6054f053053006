#!/usr/bin/env bash
# Pins every package, with hashes, from pyproject.toml: requirements.lock is what the service needs to run,
# requirements-dev.lock all that development and the sandbox need, the installer and the build tools included.
# `scripts/lock.sh --upgrade` moves to the newest versions allowed; without it what is pinned stays.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=$(command -v .venv/bin/uv || command -v uv)

# No index is named in the locks: which one to use is a matter of the machine.
compile() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header "$@"
}

compile pyproject.toml --output-file requirements.lock "$@"
compile pyproject.toml --group dev scripts/tools.in --constraint requirements.lock \
    --output-file requirements-dev.lock "$@"
