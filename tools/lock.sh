#!/usr/bin/env bash
# Resolve the dependencies again: uv.lock, and the hashed requirement files that plain pip installs.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
"$uv" lock "$@"
export_to() { "$uv" export -q --frozen --no-emit-project --no-header --group install "${@:2}" -o "requirements/$1.txt"; }
export_to node
export_to build --extra build
export_to dev --extra build --extra dev
