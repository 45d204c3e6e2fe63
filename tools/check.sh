#!/usr/bin/env bash
# check.sh BIN: format, lint, types, layers, dependencies, dead code. Size budgets and docs are tests (tests/test_architecture.py, tests/docs).
set -euo pipefail
bin=$1
step() { printf '%-14s' "$1"; shift; local out; if out=$("$@" 2>&1); then echo ok; else echo FAILED; echo "$out"; exit 1; fi; }
step format "$bin/ruff" format --check -q .
step lint "$bin/ruff" check -q .
step types "$bin/mypy" --no-error-summary
step layers "$bin/lint-imports"
step dependencies "$bin/deptry" src
step "dead code" "$bin/vulture"
