#!/usr/bin/env bash
# Checks the role of deploy/ansible: ansible-lint with the profile for production, then installed twice, in check mode
# and taken away, in a layer over this machine's files (tests/system/install/test_ansible.py). Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=build/ansible
if [ ! -x "$tools/bin/ansible-lint" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check ansible-core==2.19.14 ansible-lint==26.10.1 || {
        rm -rf "$tools"
        echo "left out: Ansible cannot be installed here"
        exit 0
    }
fi
(cd deploy/ansible && PATH="../../$tools/bin:$PATH" ansible-lint --offline --nocolor --config-file .ansible-lint.yml site.yml)
.venv/bin/pytest -q -m slow tests/system/install/test_ansible.py
