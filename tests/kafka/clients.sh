#!/usr/bin/env bash
# Kafka clients of others, which share no code with our client or with each other.
#
#   clients.sh install                           install all clients, in the versions that this file names
#   clients.sh run <client> <address> [embedded] produce, consume and administer with one client; `embedded`: also check what the
#                                                embedded broker refuses
#
# Clients: confluent (librdkafka), aio, kafka_python, franz, segmentio, java, kcat. They are installed in
# ${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}; kcat comes with the system. For Linux.
set -euo pipefail

# renovate: datasource=pypi depName=confluent-kafka
CONFLUENT=2.16.1
# renovate: datasource=pypi depName=aiokafka
AIOKAFKA=0.14.0
# renovate: datasource=pypi depName=kafka-python
KAFKA_PYTHON=3.0.12
PYTHON_CLIENTS="confluent-kafka==$CONFLUENT aiokafka==$AIOKAFKA kafka-python==$KAFKA_PYTHON"
# The versions of the Go clients are in clients/go/go.mod; the Java client is that of the Kafka in tests/real/parts/kafka.sh.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}
VENV=$TOOLS/kafka-clients-python
GO_CLIENTS=$TOOLS/kafka-clients-go
# The time limit of one client, in seconds: far longer than any client needs.
PATIENCE=240

need() { command -v "$1" >/dev/null || { echo "clients: $1 is missing: $2" >&2; exit 1; }; }

kcat_is_there() {
  if command -v kcat >/dev/null; then return; fi
  [ "$(id -u)" = 0 ] || need kcat "it is one of the clients (Debian: kcat)"
  need apt-get "install kcat by hand: it is one of the clients"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends kcat >&2 </dev/null
}

install() {
  need python3 "Python's clients run in it (Debian: python3-venv)"
  need go "clients in Go are built with it"
  kcat_is_there
  need java "Apache Kafka's own client runs in it"
  mkdir -p "$TOOLS"
  if [ "$(cat "$VENV/installed" 2>/dev/null)" != "$PYTHON_CLIENTS" ]; then
    rm -rf "$VENV"
    python3 -m venv "$VENV"
    # shellcheck disable=SC2086 # a list
    "$VENV/bin/pip" install --quiet --disable-pip-version-check $PYTHON_CLIENTS
    echo "$PYTHON_CLIENTS" >"$VENV/installed"
  fi
  (cd "$HERE/clients/go" && go build -o "$GO_CLIENTS" .)
  "$HERE/../real/parts.sh" install kafka
}

# kcat runs one command at a time: it produces, reads everything back, and lists the end offsets of partitions.
kcat_story() {
  local topic="orders.events" group value read
  group="kcat-$RANDOM$RANDOM"
  value="kcat-$RANDOM$RANDOM"
  kcat -b "$1" -X broker.address.family=v4 -L | grep -q "topic \"$topic\"" || { echo "kcat: no topic"; return 1; }
  for _ in $(seq 100); do echo "$value"; done | kcat -b "$1" -X broker.address.family=v4 -P -t "$topic" -p 0
  read=$(kcat -b "$1" -X broker.address.family=v4 -C -t "$topic" -p 0 -o beginning -e -q | grep -c "^$value$")
  [ "$read" = 100 ] || { echo "kcat: $read of 100 records"; return 1; }
  kcat -b "$1" -X broker.address.family=v4 -Q -t "$topic:0:-1" | grep -q "offset" || { echo "kcat: no offset"; return 1; }
  read=$(timeout 60 kcat -b "$1" -X broker.address.family=v4 -X auto.offset.reset=earliest -G "$group" -c 100 -q "$topic" | grep -c "^$value$")
  [ "$read" = 100 ] || { echo "kcat: $read of 100 records of its group"; return 1; }
  echo "kcat: ok"
}

run() {
  local client=$1 kafka
  shift
  case $client in
  confluent | aio | kafka_python) exec timeout "$PATIENCE" "$VENV/bin/python" "$HERE/clients/$client.py" "$@" ;;
  franz | segmentio) exec timeout "$PATIENCE" "$GO_CLIENTS" "$client" "$@" ;;
  kcat) kcat_story "$1" ;;
  java)
    kafka=$("$HERE/../real/parts.sh" install kafka)
    exec timeout "$PATIENCE" java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
      -Dlog4j2.configurationFile="$kafka/log4j2.properties" -cp "$kafka/libs/*" "$HERE/clients/Client.java" "$@" ;;
  *) echo "clients: no client $client" >&2; exit 2 ;;
  esac
}

case ${1:-} in
install) install ;;
run) shift; run "$@" ;;
*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
