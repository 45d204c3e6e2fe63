#!/usr/bin/env bash
# clients.sh PYTHON VENV: an environment with the real clients. They pin psutil and protobuf back by major versions, hence apart.
set -euo pipefail
python=$1 venv=$2
stamp="$venv/.$(sha256sum tests/clients/requirements.txt | cut -c1-16)"
[ -e "$stamp" ] && exit 0
echo "clients: installing tests/clients/requirements.txt into $venv (hashes checked)"
rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --only-binary :all: -r tests/clients/requirements.txt
touch "$stamp"
