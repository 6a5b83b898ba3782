#!/usr/bin/env bash
# Makes what docker-compose.yml needs before the first start: keys, passwords, folders. Never overwrites: a key lost is a register lost.
# `prepare.sh [FOLDER]`; `prepare.sh --new USE [FOLDER]` lays the next version of a key that signs beside those there are.
set -euo pipefail
new=
if [ "${1:-}" = --new ]; then
  new=${2:?give the use: links, callbacks, cookies, residents or orders}
  shift 2
fi
here=$(cd "$(dirname "$0")" && pwd)
services='gateway registry router channels'
cd "${1:-$here}"
umask 077
mkdir -p secrets state/{caddy,gateway,router,channels,audit}
plane=${TOCSIN_PLANE:-live}
case $plane in live | drill) ;; *) echo "prepare: TOCSIN_PLANE=$plane: give live or drill" >&2; exit 2 ;; esac
command -v openssl >/dev/null || { echo "prepare: please install openssl and come back" >&2; exit 1; }

# make NAME UID [COMMAND...]: a file with what the command prints, readable by the user that needs it.
make() {
  local name=$1 uid=$2
  shift 2
  local draft
  if [ ! -e "secrets/$name" ]; then
    draft=$(mktemp secrets/.draft.XXXXXX)
    "$@" >"$draft"
    mv "$draft" "secrets/$name"
    echo "prepare: made secrets/$name"
  fi
  chmod 0400 "secrets/$name"
  if [ "$(id -u)" = 0 ]; then chown "$uid:$uid" "secrets/$name"; fi
}
password() { openssl rand -hex 24; }
# An X25519 private key is 32 octets; openssl wants them in PKCS #8 and answers a public key whose last 32 octets are it.
public_key() {
  { printf '\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x6e\x04\x22\x04\x20'; cat secrets/channels.key; } |
    openssl pkey -inform DER -pubout -outform DER | tail -c 32
}
# What the broker loads: rabbitmq.json with the plane, and each password as it keeps them, base64(salt + SHA-256(salt + password)).
definitions() {
  local edits=(-e "s|@plane@|$plane|g") name salt secret
  for name in admin $services; do
    salt=$(openssl rand -hex 2)
    secret=$(cat "secrets/broker/$name")
    secret=$({ printf '%s' "$salt"; printf '%s' "$salt$secret" | openssl dgst -sha256 -binary; } | openssl base64 -A)
    edits+=(-e "s|@$name@|$secret|")
  done
  sed "${edits[@]}" "$here/rabbitmq.json"
}
owner_url() { printf 'postgresql+asyncpg://tocsin:%s@postgres:5432/tocsin' "$(cat secrets/postgres_password)"; }
database_url() { printf 'postgresql+asyncpg://tocsin_%s:%s@postgres:5432/tocsin' "$1" "$(cat "secrets/roles/postgres_$1")"; }
amqp_url() { printf 'amqp://tocsin_%s:%s@rabbitmq:5672/tocsin-%s' "$1" "$(cat "secrets/broker/$1")" "$plane"; }

if [ -n "$new" ]; then
  [ -d "secrets/$new" ] || { echo "prepare: there is no key $new: give links, callbacks, cookies, residents or orders" >&2; exit 2; }
  last=$(find "secrets/$new" -name '*.key' -exec basename {} .key \; | sort -n | tail -n 1)
  make "$new/$((${last:-0} + 1)).key" 10001 openssl rand 32
  exit 0
fi
mkdir -p secrets/{links,callbacks,cookies,residents,orders}
make links/1.key 10001 openssl rand 32
make callbacks/1.key 10001 openssl rand 32
make cookies/1.key 10001 openssl rand 32
make residents/1.key 10001 openssl rand 32
make orders/1.key 10001 openssl rand 32
make index.key 10001 openssl rand 32
make audit.key 10001 openssl rand 32
make channels.key 10001 openssl rand 32
make channels.pub 10001 public_key
make postgres_password 999 password
make owner_database_url 10001 owner_url # migrates the schema, gives the roles their rights, makes keys of people
mkdir -p secrets/{roles,broker}
make broker/admin 0 password
for service in $services; do
  make "roles/postgres_$service" 10001 password
  make "broker/$service" 0 password
  make "${service}_database_url" 10001 database_url "$service"
  make "${service}_amqp_url" 10001 amqp_url "$service"
done
make rabbitmq_definitions.json 100 definitions
make tocsin_twilio_auth_token 10001 true # empty: fill it in, or leave the channel unused
make tocsin_smpp_password 10001 true
make tocsin_smtp_password 10001 true
make tocsin_devices_password 10001 true
make tocsin_cell_broadcast_tokens 10001 true
if [ "$(id -u)" = 0 ]; then
  chown 10001:10001 state/* secrets/{links,callbacks,cookies,residents,orders,roles}
  chmod 0711 secrets state # their users come through; who else does finds nothing to read
else
  echo "prepare: run as root, so that each file belongs to the user of its container (10001, postgres 999, rabbitmq 100)" >&2
fi
echo "prepare: ready; keep a copy of secrets/*.key and secrets/*/*.key away from this machine and from the database's backup"
