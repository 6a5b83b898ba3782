#!/usr/bin/env bash
# Makes .venv ready: `tools/setup.sh` to run Tocsin, `tools/setup.sh test` to test it as well, `tools/setup.sh peers` with the large
# programs of others too; `tools/setup.sh bench` makes .venv-bench, the environment of what is measured beside it. Says what it does; quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
purpose=${1:-run}
case $purpose in
  run) lock=requirements-extras.lock ;; # `make demo` and `make try` need the stand-ins
  test | peers) lock=requirements-dev.lock ;;
  bench) lock=requirements-bench.lock ;;
  *) echo "setup: '$purpose' is not a purpose: give nothing (to run), 'test', 'peers' or 'bench'" >&2; exit 2 ;;
esac
tested= # whatever is tested needs what the tests need
case $purpose in test | peers) tested=yes ;; esac
venv=.venv
if [ "$purpose" = bench ]; then venv=.venv-bench; fi  # its versions must not disturb ours
say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

# Two makes at once in one tree would install over each other: the second waits for the first.
exec 9<tools/setup.sh
if command -v flock >/dev/null; then flock 9; fi

# ---- what the system must have
fits() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' >/dev/null 2>&1; }
find_python() {
  local name
  for name in "${PYTHON:-python3}" python3.13 python3.12 python3.11 /usr/bin/python3; do
    if fits "$name"; then echo "$name"; return; fi
  done
}
missing=()
look_for_missing() {
  missing=()
  python=$(find_python)
  if [ -z "$python" ]; then missing+=(python3 python3-venv)
  elif ! [ -x $venv/bin/python ] && ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    # A distribution's own python keeps venv in a package of its own; any other version's package bears its number.
    if [ "$(readlink -f "$(command -v "$python")")" = "$(readlink -f /usr/bin/python3)" ]; then missing+=(python3-venv)
    else missing+=("python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"); fi
  fi
  [ "$tested" ] || return 0
  # A browser for the page tests; xmllint and xmlsec1 judge the alerts we write from outside.
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
  command -v xmllint >/dev/null || missing+=(libxml2-utils)
  command -v xmlsec1 >/dev/null || missing+=(xmlsec1)
  # The real broker and proxy; tests start nodes of their own, on free ports.
  [ -x /usr/sbin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null || missing+=(rabbitmq-server)
  command -v caddy >/dev/null || missing+=(caddy)
  [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || missing+=(nginx)
  # The broker that loudspeakers and bed shakers hang on, and the voice that speaks through them.
  [ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null || missing+=(mosquitto)
  command -v espeak-ng >/dev/null || missing+=(espeak-ng)
  # A process whose clock is set while it runs.
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
  # The model of sending is searched by spin, which writes a program in C.
  command -v spin >/dev/null || missing+=(spin)
  command -v gcc >/dev/null && [ -e /usr/include/stdio.h ] || missing+=(gcc libc6-dev)
  # Others' programs that judge what the channels send run on Node.
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  [ "$purpose" = peers ] || return 0
  # An SMS gateway that puts our parts together, a decoder of sound, and of what goes to cells.
  [ -x /usr/sbin/bearerbox ] || command -v bearerbox >/dev/null || missing+=(kannel)
  command -v ffmpeg >/dev/null || missing+=(ffmpeg)
  command -v tshark >/dev/null || missing+=(tshark)
}
# Debian starts a server with its package, now and at every boot. We want the programs and no port of this machine:
# nothing is started while we install (unless the machine has a policy of its own), and what came anew is not enabled.
policy=/usr/sbin/policy-rc.d
units=(rabbitmq-server.service epmd.service epmd.socket caddy.service nginx.service mosquitto.service kannel.service)
start_nothing() {
  known=$(enabled_units)
  if [ -e "$policy" ]; then return; fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 0755 "$policy"
  trap 'rm -f "$policy"' EXIT
}
start_as_before() {
  local unit
  for unit in $(enabled_units); do
    case " $known " in *" $unit "*) ;; *) systemctl disable --now "$unit" >/dev/null 2>&1 || true ;; esac
  done
  if [ "$(trap -p EXIT)" ]; then rm -f "$policy"; trap - EXIT; fi
}
enabled_units() {
  local unit
  command -v systemctl >/dev/null || return 0
  for unit in "${units[@]}"; do
    if systemctl is-enabled --quiet "$unit" 2>/dev/null; then printf '%s ' "$unit"; fi
  done
}
look_for_missing
if [ ${#missing[@]} -gt 0 ]; then
  wish="apt-get install -y --no-install-recommends ${missing[*]}"
  then=
  case " ${missing[*]} " in *" rabbitmq-server "* | *" caddy "* | *" nginx "* | *" mosquitto "*)
    then="; Debian starts them, we need the programs alone: sudo systemctl disable --now rabbitmq-server epmd.socket caddy nginx mosquitto" ;;
  esac
  [ "$(id -u)" = 0 ] || fail "please install ${missing[*]} and come back (on Debian: sudo $wish$then)"
  command -v apt-get >/dev/null || fail "please install ${missing[*]} (Debian's names) and come back"
  say "installing from the distribution: ${missing[*]}"
  begun=$SECONDS
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  start_nothing
  # A single source that does not answer makes `update` fail, though what we need may come from another: `install` decides.
  if ! { apt-get update || true; apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2; rm -f "$log"
    start_as_before
    fail "could not install them; try: $wish"
  fi
  rm -f "$log"
  start_as_before
  say "installed in $((SECONDS - begun)) s"
  look_for_missing
  [ ${#missing[@]} = 0 ] || fail "still missing after installing: ${missing[*]}"
fi

# ---- the virtual environment (wheels only: a source archive would run an unhashed build)
if ! $venv/bin/python -c 'import pip' >/dev/null 2>&1; then
  say "making $venv with $("$python" --version)"
  "$python" -m venv --clear "$venv" || fail "could not make $venv with $python"
fi

# A stamp holds what was installed from: the content of the files and where the tree lay (scripts in .venv name their own path).
stamp_of() { { echo "$root"; cat "$@"; } | sha256sum | cut -d' ' -f1; }
stamped() { [ "$(cat "$venv/.stamp-$1" 2>/dev/null)" = "$2" ]; }
pip() { $venv/bin/python -u -m pip --disable-pip-version-check --no-input "$@" </dev/null; }

# pip names each package as it takes it up; every tenth is worth a line.
tell_progress() {
  local line count=0
  while IFS= read -r line; do
    case $line in
      Collecting* | Processing* | 'Requirement already satisfied'*'=='*)
        count=$((count + 1))
        if [ $((count % 10)) = 0 ]; then say "  $count of about $1"; fi ;;
      'Installing collected'*) say "  all fetched, unpacking" ;;
    esac
  done
}

want=$(stamp_of "$lock")
stamp=$purpose # both test on the same packages
if [ "$tested" ]; then stamp=test; fi
if ! stamped "$stamp" "$want"; then
  total=$(grep -cE '^[A-Za-z0-9].*==' "$lock")
  say "installing about $total packages, each checked against its hash in $lock"
  begun=$SECONDS
  log=$venv/setup.log
  if ! pip install --require-hashes --only-binary :all: --progress-bar off -r "$lock" 2>&1 | tee "$log" | tell_progress "$total"; then
    tail -n 15 "$log" >&2
    fail "could not install the packages of $lock (everything pip said: $log)"
  fi
  echo "$want" >"$venv/.stamp-$stamp"
  # The development lock holds everything the other one does, in the same versions.
  if [ "$tested" ]; then stamp_of requirements-extras.lock >"$venv/.stamp-run"; fi
  say "packages in place after $((SECONDS - begun)) s"
fi

want=$(stamp_of pyproject.toml)
if [ "$purpose" != bench ] && ! stamped self "$want"; then
  say "putting the tocsin command into $venv"
  log=$venv/setup.log
  if ! pip install --quiet --no-deps --no-build-isolation --editable . >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "could not install Tocsin itself (everything pip said: $log)"
  fi
  echo "$want" >"$venv/.stamp-self"
fi
# npm's packages of one folder, exactly as its lock has them.
fetch_packages() {
  local folder=$1 name=$2
  want=$(stamp_of "$folder/package-lock.json")
  if stamped "$name" "$want" && [ -d "$folder/node_modules" ]; then return; fi
  say "fetching the packages of $folder"
  log=$venv/setup.log
  if ! npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund </dev/null >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "could not install the packages of $folder/package-lock.json (everything npm said: $log)"
  fi
  echo "$want" >"$venv/.stamp-$name"
}
# What the console's pages load besides our own scripts. Without npm they are plain forms: nothing else is missing.
if [ "$purpose" != bench ]; then
  if command -v npm >/dev/null; then
    fetch_packages tools/console console
    if ! [ -e services/shared/web/vendor/manifest.json ] || ! stamped vendor "$(stamp_of tools/console/package-lock.json tools/console/vendor.py)"; then
      $venv/bin/python -m tools.console.vendor tools/console/node_modules || fail "could not lay out the console's scripts"
      stamp_of tools/console/package-lock.json tools/console/vendor.py >"$venv/.stamp-vendor"
    fi
  else
    say "npm is not installed: the console's pages are plain forms, without a map and without live figures"
  fi
fi
if [ "$tested" ]; then fetch_packages tools/peers peers; fi
if [ "$purpose" = peers ]; then fetch_packages tools/peers/heavy heavy-peers; fi
say "ready in $venv after $SECONDS s"
