#!/usr/bin/env bash
# test.sh BIN [PYTEST ARGS]: install what tests need from the system, then run them.
set -euo pipefail
bin=$1; shift
tools/system-packages.sh
tools/clients.sh "$bin/python" .cache/clients
exec "$bin/python" -m pytest -n "${HOLDFAST_TEST_WORKERS:-2}" --dist loadgroup "$@"
