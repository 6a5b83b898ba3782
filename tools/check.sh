#!/usr/bin/env bash
# Runs the checks one after the other and stops at the first that fails, by name: `tools/check.sh lint`, `test [pytest's arguments]` or
# `test-long [pytest's arguments]`.
set -uo pipefail
cd "$(dirname "$0")/.."
what=${1:-test}
[ $# -eq 0 ] || shift
bin=.venv/bin
# Rewriting a test's assertions and compiling a module costs seconds a process: where it may not be kept, each does it again.
unset PYTHONDONTWRITEBYTECODE

stage() {
  local name=$1 begun=$SECONDS code
  shift
  echo "== $name"
  "$@" </dev/null
  code=$?
  if [ $code != 0 ]; then
    echo "$what: FAILED at '$name' after $((SECONDS - begun)) s (exit $code)" >&2
    exit $code
  fi
  echo "== $name: passed in $((SECONDS - begun)) s"
}

case $what in lint | test | test-long) ;; *) echo "check: '$what' is none of lint, test, test-long" >&2; exit 2 ;; esac
# A worker a core, each with servers of its own; a file's tests stay together, since they share what is dear to make.
pytest=("$bin/python" -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder)
if [ "$what" = test-long ]; then
  stage 'pytest, long' "${pytest[@]}" -m long "$@"
  exit 0
fi
stage 'ruff check' $bin/ruff check --quiet .
stage 'ruff format' $bin/ruff format --check --quiet .
stage 'mypy --strict' $bin/mypy
stage 'import contracts' $bin/lint-imports --no-logo
[ "$what" = test ] || exit 0
stage 'pytest' "${pytest[@]}" "$@"
