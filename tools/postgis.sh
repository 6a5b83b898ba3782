#!/usr/bin/env bash
# Installs Debian's PostgreSQL 15 with PostGIS, for `make bench-registry` alone: nothing of Tocsin needs it. Needs root once.
set -euo pipefail
[ -e /usr/share/postgresql/15/extension/postgis.control ] && [ -x /usr/lib/postgresql/15/bin/postgres ] && exit 0
if [ "$(id -u)" != 0 ]; then echo "postgis: run this once as root: bash tools/postgis.sh" >&2; exit 1; fi
echo "postgis: installing postgresql-15 and postgresql-15-postgis-3; no cluster is made or started"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null
sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
apt-get install -y -qq --no-install-recommends postgresql-15 postgresql-15-postgis-3 >/dev/null
