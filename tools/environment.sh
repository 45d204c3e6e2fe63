#!/usr/bin/env bash
# environment.sh PYTHON VENV SET: make VENV hold exactly requirements/SET.txt (by hash) and this checkout.
set -euo pipefail
python=$1 venv=$2 set_name=$3
stop() { echo "environment: $*" >&2; exit 69; }
command -v "$python" >/dev/null || stop "no $python on the PATH; install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || stop "$("$python" --version) found, 3.11 or newer expected; name one: make PYTHON=/path/to/python3.11"
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get install -y -qq python3-venv >/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }
  else
    stop "$python has no venv module; on Debian and Ubuntu: apt-get install python3-venv"
  fi
fi
[ -x "$venv/bin/python" ] || { echo "environment: creating $venv"; "$python" -m venv "$venv"; }
# The list is complete: uv resolved it. --no-deps keeps pip from adding the network client that tokenizers declares.
echo "environment: installing requirements/$set_name.txt (hashes checked)"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
  -r "requirements/$set_name.txt"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
touch "$venv/.build"
if [ "$set_name" = dev ]; then touch "$venv/.dev"; fi
