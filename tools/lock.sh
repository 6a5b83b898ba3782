#!/usr/bin/env bash
# Makes requirements.lock, requirements-extras.lock, requirements-dev.lock and requirements-bench.lock from pyproject.toml: exact versions and hashes for every Linux and Python we run on.
# `tools/lock.sh` keeps what is pinned and still fits; `tools/lock.sh --upgrade` takes the newest that fits.
set -euo pipefail
cd "$(dirname "$0")/.."
maker=$(mktemp -d)
trap 'rm -rf "$maker"' EXIT
echo "lock: fetching the resolver into a folder of its own"
python3 -m venv "$maker"
"$maker/bin/python" -m pip --quiet --disable-pip-version-check install 'uv>=0.13,<0.14' 2>"$maker/log" || { cat "$maker/log" >&2; exit 1; }
compile() {
  "$maker/bin/uv" pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' "$@" >/dev/null
}
echo "lock: requirements.lock"
compile pyproject.toml --group build --output-file requirements.lock "$@"
echo "lock: requirements-extras.lock"
# With chat and the stand-ins of the outside world; what both have in one version.
compile pyproject.toml --group build --extra chat --extra sim --constraint requirements.lock --output-file requirements-extras.lock "$@"
echo "lock: requirements-dev.lock"
# Held to what the lock before says, so that tests run on the versions that are shipped.
compile pyproject.toml --group build --extra chat --extra sim --group dev --constraint requirements-extras.lock --output-file requirements-dev.lock "$@"
echo "lock: requirements-bench.lock"
# The peers alone; what they share with us in our version, so that clients of one kind are compared.
compile --group bench --constraint requirements-extras.lock --output-file requirements-bench.lock "$@"
echo "lock: $(grep -c '==' requirements.lock) pins to run, $(grep -c '==' requirements-dev.lock) to test, $(grep -c '==' requirements-bench.lock) to measure beside"
