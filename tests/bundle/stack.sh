#!/usr/bin/env bash
# Runs the observability stack as it is deployed, without containers, beside a mesh on this machine: Collector, Jaeger, Prometheus
# with our rules, Alertmanager.
#
#   stack.sh start  <dir> [base]   start all parts with their data in <dir>; prints their addresses, NAME=address, and writes
#                                  them to <dir>/addresses. With the port base of a mesh (8080), Prometheus scrapes that mesh, and
#                                  the Collector also sends to its lens
#   stack.sh scrape <dir> <base>   scrape the mesh with this port base from now on
#   stack.sh stop   <dir>          stop all parts
#
# It uses the files of deploy/components/observability and grafana/rules, with local addresses instead of names. Start the mesh
# with the first address: OTEL_EXPORTER_OTLP_ENDPOINT=http://$OTLP. STACK_PARTS lists the parts in the order of their start. With
# loki among them ("jaeger loki otelcol alertmanager prometheus") the Collector sends log lines there, otherwise it writes them to
# <dir>/otelcol/lines.json. It merges other YAML files in <dir>/otelcol into its configuration.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PARTS=$HERE/../real/parts.sh
CONFIG=$HERE/../../deploy/components/observability
RULES=$HERE/../../grafana/rules
# The admin ports of the services are above the mesh's port base, in the order of `mesh up`.
SERVICES=(gateway catalog inventory orders payments shipping notifications lens)
FIRST=10
# Lens is the last of them; its port for OTLP over gRPC is ten above that of its admin server.
LENS=27

say() { printf 'stack: %s\n' "$*" >&2; }
address() { "$PARTS" address "$1" "$DIR/$1" "${@:2}"; }
has() { [[ " ${ORDER[*]} " == *" $1 "* ]]; }

## The configuration of each part

prepare_jaeger() { cp "$CONFIG/jaeger/jaeger.yaml" "$1"; }
prepare_loki() { cp "$CONFIG/loki/loki.yaml" "$1"; }
prepare_alertmanager() { cp "$CONFIG/alertmanager/alertmanager.yaml" "$1"; }

prepare_otelcol() {
  cp "$CONFIG/otel/collector.yaml" "$1"
  echo "JAEGER_OTLP=$(address jaeger otlp)" >"$1/environment"
  if has loki; then
    echo "LOKI_OTLP=http://$(address loki)/otlp" >>"$1/environment"
  else
    echo "LINES=$1/lines.json" >>"$1/environment"
    cp "$HERE/lines.yaml" "$1"
  fi
  [ -n "$BASE" ] || return 0
  echo "LENS_OTLP=127.0.0.1:$((BASE + LENS))" >>"$1/environment"
  cp "$CONFIG/otel/lens.yaml" "$1"
  # A list of exporters replaces the one before it; the files are read in the order of their names.
  has loki || echo 'service: {pipelines: {logs: {exporters: [file, otlp_grpc/lens]}}}' >"$1/more.yaml"
}

prepare_prometheus() {
  mkdir -p "$1/rules" "$1/scrape"
  cp "$RULES"/*.yaml "$1/rules"
  sed "s|alertmanager:9093|$(address alertmanager)|" "$CONFIG/prometheus/prometheus.yaml" >"$1/prometheus.yaml"
  # Prometheus scrapes itself, so its port must be known before it starts.
  [ -e "$1/port" ] || free_port >"$1/port"
  targets "$BASE" >"$1/scrape/compose.yaml"
}

# targets <base>: the targets of Compose at their local addresses, without services and parts that do not run here. Without a
# base, no mesh.
targets() {
  local edits=() part port index
  for index in "${!SERVICES[@]}"; do
    if [ -n "$1" ]; then
      edits+=(-e "s|\"${SERVICES[index]}:8081\"|\"127.0.0.1:$(($1 + FIRST + index))\"|")
    else
      edits+=(-e "/\"${SERVICES[index]}:8081\"/d")
    fi
  done
  while read -r part name port more; do
    if has "$part"; then
      edits+=(-e "s|\"$name:$port\"|\"$(address "$part" $more)\"|")
    else
      edits+=(-e "/\"$name:$port\"/d")
    fi
  done <<<'otelcol otel-collector 8888 metrics
jaeger jaeger 8888 metrics
loki loki 3100
grafana grafana 3000
prometheus prometheus 9090
alertmanager alertmanager 9093'
  if [ -z "$1" ]; then edits+=(-e '/job_name: mesh/,/static_configs/d'); fi
  sed "${edits[@]}" "$CONFIG/prometheus/scrape/compose.yaml"
}

# A port below the range from which the system takes ports for outgoing connections.
free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

## The commands

start() {
  local part
  for part in "${ORDER[@]}"; do
    mkdir -p "$DIR/$part"
    "prepare_$part" "$DIR/$part"
    "$PARTS" start "$part" "$DIR/$part" >/dev/null || { stop; say "$part did not start"; exit 1; }
  done
  addresses | tee "$DIR/addresses"
}

addresses() {
  if has otelcol; then printf 'OTLP=%s\nOTLP_HTTP=http://%s\n' "$(address otelcol)" "$(address otelcol http)"; fi
  if has jaeger; then echo "JAEGER=http://$(address jaeger)/jaeger"; fi
  if has loki; then echo "LOKI=http://$(address loki)"; fi
  if has alertmanager; then echo "ALERTMANAGER=http://$(address alertmanager)/alertmanager"; fi
  if has prometheus; then echo "PROMETHEUS=http://$(address prometheus)/prometheus"; fi
}

# Makes Prometheus reload its files; fails if it could not.
scrape() {
  local status
  targets "$BASE" >"$DIR/prometheus/scrape/compose.yaml"
  IFS=: read -r host port <<<"$(address prometheus)"
  exec 3<>"/dev/tcp/$host/$port"
  printf 'POST /prometheus/-/reload HTTP/1.0\r\nHost: %s\r\nContent-Length: 0\r\n\r\n' "$host" >&3
  read -r _ status _ <&3
  [ "$status" = 200 ] || { say "Prometheus could not read $DIR/prometheus again: $status; its log is there"; exit 1; }
}

stop() {
  local index
  for ((index = ${#ORDER[@]} - 1; index >= 0; index--)); do
    if [ -d "$DIR/${ORDER[index]}" ]; then "$PARTS" stop "${ORDER[index]}" "$DIR/${ORDER[index]}" || true; fi
  done
}

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

COMMAND=${1:-} DIR=${2:-} BASE=${3:-}
[ -n "$DIR" ] || usage
mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
# The order of the start: each part gets the addresses of those before it.
if [ "$COMMAND" = start ]; then echo "${STACK_PARTS:-jaeger otelcol alertmanager prometheus}" >"$DIR/parts"; fi
[ -e "$DIR/parts" ] || { say "nothing was started in $DIR"; exit 1; }
read -ra ORDER <"$DIR/parts"
case $COMMAND in
start) start ;;
scrape) [ -n "$BASE" ] || usage; scrape ;;
stop) stop ;;
*) usage ;;
esac
