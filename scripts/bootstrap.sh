#!/usr/bin/env bash
# Makes .venv: the project, editable, and every package at the version and hash of requirements-dev.lock.
# Needs python3 (3.11 or newer; another one by PYTHON=...) and a package index. On Debian it installs
# python3-venv if that is missing, for which it must be root. Does nothing when nothing has changed.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
lock=requirements-dev.lock
stamp=.venv/.bootstrapped

fail() {
    echo "bootstrap: $1" >&2
    exit 2
}

# The path is part of it: a virtual environment does not survive being moved.
state() {
    echo "$PWD $python"
    sha256sum "$lock" pyproject.toml scripts/bootstrap.sh
}

is_done() {
    [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(state)" ]
}

install_venv_module() {
    [ "$(id -u)" = 0 ] || fail "python3-venv is missing; as root: apt-get install python3-venv"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install --yes --no-install-recommends python3-venv >/dev/null 2>&1 ||
        { apt-get update && apt-get install --yes --no-install-recommends python3-venv; } >&2 ||
        fail "apt-get could not install python3-venv"
}

# The lock's lines for one package, which pip checks as strictly as uv checks the rest.
locked() {
    awk -v start="^$1==" '$0 ~ start { found = 1 } found { print } found && !/\\$/ { exit }' "$lock"
}

is_done && exit 0

command -v "$python" >/dev/null || fail "$python is not installed"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is $("$python" -V); 3.11 or newer is needed (PYTHON=... names another)"
"$python" -c 'import ensurepip' 2>/dev/null || install_venv_module

mkdir -p .venv
exec 9>.venv/.bootstrap-lock # not .lock: that one is uv's own
flock 9
is_done && exit 0 # somebody else was quicker

echo "bootstrap: making .venv ..."
rm -f "$stamp"
"$python" -m venv .venv
tools=$(mktemp)
trap 'rm -f "$tools"' EXIT
locked uv >"$tools"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$tools"
export VIRTUAL_ENV="$PWD/.venv"
.venv/bin/uv pip sync --quiet --require-hashes "$lock"
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation --editable .
state >"$stamp"
