#!/usr/bin/env bash
# Loads the images that overlays/local names into the node of cluster.sh. It makes them of programs of this machine: the mesh from
# our own release build, and for each part of a third party a stand-in from the programs that tests/real/parts.sh has installed. A
# stand-in has the name, the entrypoint, the paths and the user of the real image as far as the manifests rely on them. So the test
# does not show that the manifests fit the real images.
#
#   images.sh MESH PART...    MESH is the binary; parts: kafka nats postgres valkey otelcol jaeger prometheus alertmanager loki
#
# The names and versions of the images come from the manifests.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/settings.sh"
PARTS=$HERE/../real/parts.sh
DEPLOY=$HERE/../../deploy
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# image <name without tag> <arguments of image.py>...
image() {
  local name=$1 full; shift
  full=$(grep -m 1 -o "^ *image: $name:[^ ]*" "$WORK/rendered.yaml" | sed 's/^ *image: //') || die "no manifest names the image $name"
  python3 "$HERE/image.py" "$WORK/image.tar" "$full" "$@"
  "$HERE/cluster.sh" load "$WORK/image.tar"
}

# The programs that scripts in an image use.
SHELL_PROGRAMS=(--program sh:/bin/sh --program env:/usr/bin/env --program cat --program basename --program sleep --program mkdir --program chmod)

part_mesh() { image registry.invalid/glassmesh/mesh --add "$MESH:/mesh" --user 65532:65532 --entrypoint /mesh --arg=--help; }

# A Java runtime made by jlink: Debian's JDK has links that lead out of its folder.
part_kafka() {
  local home; home=$("$PARTS" install kafka)
  need jlink "install a whole JDK, 17 or newer (Debian: default-jdk-headless)"
  jlink --output "$WORK/java" --no-header-files --no-man-pages \
    --add-modules java.base,java.desktop,java.logging,java.management,java.naming,java.rmi,java.scripting,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.crypto.ec,jdk.management,jdk.unsupported
  image apache/kafka "${SHELL_PROGRAMS[@]}" --add "$home/libs:/opt/kafka/libs" --add "$WORK/java:/opt/java/openjdk" \
    --env PATH=/opt/java/openjdk/bin:/usr/bin:/bin --user 1000
  rm -rf "$WORK/java"
}

part_nats() { image nats --add "$("$PARTS" install nats):/usr/local/bin/nats-server" --entrypoint docker-entrypoint.sh; }

# Like the real entrypoint: it initializes an empty folder with the password from a file, runs the given scripts while only
# the socket is open, and then becomes postgres.
part_postgres() {
  local server bin version
  server=$("$PARTS" install postgres) bin=$(dirname "$server") version=$(basename "$(dirname "$bin")")
  cat >"$WORK/docker-entrypoint.sh" <<'SCRIPT'
#!/bin/sh
set -eu
mkdir -p "$PGDATA"
chmod 700 "$PGDATA" # which fsGroup has changed
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  # shellcheck disable=SC2086 # options
  initdb --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" ${POSTGRES_INITDB_ARGS:-}
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
  pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*.sh; do "$script"; done
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
SCRIPT
  chmod 755 "$WORK/docker-entrypoint.sh"
  image postgres "${SHELL_PROGRAMS[@]}" --add "$bin:$bin" --add "/usr/lib/postgresql/$version/lib:/usr/lib/postgresql/$version/lib" \
    --add "/usr/share/postgresql/$version:/usr/share/postgresql/$version" --add /usr/share/zoneinfo:/usr/share/zoneinfo \
    --add "$WORK/docker-entrypoint.sh:/usr/local/bin/docker-entrypoint.sh" \
    --file "/etc/passwd=postgres:x:70:70::/var/lib/postgresql:/bin/sh" \
    --env "PATH=$bin:/usr/local/bin:/usr/bin:/bin" --user 70 --stop-signal SIGINT --entrypoint docker-entrypoint.sh
}

# Valkey, or Redis, from which it was forked.
part_valkey() {
  local server; server=$("$PARTS" install valkey)
  image valkey/valkey --add "$server:/usr/local/bin/valkey-server" --program redis-cli:/usr/local/bin/valkey-cli --user 999
}

part_otelcol() {
  image otel/opentelemetry-collector-contrib --add "$(program otelcol):/otelcol-contrib" --user 10001 --entrypoint /otelcol-contrib
}

part_jaeger() { image jaegertracing/jaeger --add "$(program jaeger):/cmd/jaeger/jaeger-linux" --user 10001 --entrypoint /cmd/jaeger/jaeger-linux; }

part_prometheus() { image prom/prometheus --add "$(program prometheus):/bin/prometheus" --user nobody --entrypoint /bin/prometheus; }

part_alertmanager() { image prom/alertmanager --add "$(program alertmanager):/bin/alertmanager" --user nobody --entrypoint /bin/alertmanager; }

part_loki() { image grafana/loki --add "$(program loki):/usr/bin/loki" --user 10001 --entrypoint /usr/bin/loki; }

# The first installed program of a part is its server.
program() { "$PARTS" install "$1" | head -n 1; }

MESH=$(readlink -f "${1:?the program mesh}"); shift
[ -x "$MESH" ] || die "there is no program $MESH"
"$BIN/kubectl" kustomize "$DEPLOY/overlays/local" >"$WORK/rendered.yaml"
for PART in mesh "$@"; do
  declare -F "part_$PART" >/dev/null || die "no such part: $PART"
  "part_$PART"
done
