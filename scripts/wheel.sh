#!/usr/bin/env bash
# Builds dist/: the wheel, and constraints.txt with the version of every package that was tested with it.
# Anywhere: pipx install dist/*.whl --pip-args "--constraint dist/constraints.txt". `scripts/wheel.sh DIR` for another directory.
set -euo pipefail
cd "$(dirname "$0")/.."

out=${1:-dist}
rm -rf "$out"
.venv/bin/uv build --quiet --wheel --no-build-isolation --python .venv/bin/python --out-dir "$out" .
# Without hashes: pip would ask for one of the wheel, too.
sed -n 's/^\([A-Za-z0-9_.-]*==[^\\]*[^\\ ]\) *\\\{0,1\}$/\1/p' requirements.lock >"$out/constraints.txt"
rm -f "$out/.gitignore"
ls "$out"
