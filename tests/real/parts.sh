#!/usr/bin/env bash
# The real backing parts of the mesh, run natively: no containers.
#
#   parts.sh install [part]...           install what is missing; prints each part's program (all parts by default)
#   parts.sh start   <part> <dir> [port] start it with its data in <dir>, wait until it serves, print its address
#   parts.sh stop    <part> <dir>        let it finish, then end it
#   parts.sh kill    <part> <dir>        end it at once, as a crash would (SIGKILL, children included)
#   parts.sh restart <part> <dir>        stop it if it runs, start it again: same address, same data
#   parts.sh address <part> <dir>        print the address it has, or had
#
# Parts: kafka, nats, postgres. Each has a <dir> of its own. Without a port the first start picks a free one; later
# starts keep it. Programs are kept in ${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}. Linux.
set -euo pipefail

KAFKA=4.4.0 # Apache Kafka, KRaft mode
LOG4J=2.25.5 # what that Kafka logs with
NATS=2.15.2 # nats-server
# PostgreSQL is the distribution's: any version from 14 on will do.

# proto::topics, with its partitions; every topic has a queue of dead letters, which needs no order and so no partitions.
TOPICS="orders.events payments.events shipments.events inventory.events"
PARTITIONS=3
# The services that keep a ledger: a database and a role each, named like the service, the password too.
LEDGERS="catalog inventory orders payments shipping"

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}
KAFKA_HOME=$TOOLS/kafka-$KAFKA
NATS_HOME=$TOOLS/nats-server-$NATS
HOST=127.0.0.1
# Of one start. Kafka needs 3 s on an idle machine, 20 s where compilers run beside it.
PATIENCE=${REAL_PATIENCE:-120}

say() { printf 'parts: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing: $2"; }

## Install

install_kafka() {
  if [ ! -e "$KAFKA_HOME/Topics.class" ] || [ "$HERE/Topics.java" -nt "$KAFKA_HOME/Topics.class" ]; then
    need mvn "install Maven, Kafka's jars come from there"
    need javac "install a JDK, 17 or newer"
    local fresh; fresh=$(mktemp -d "$TOOLS/kafka.XXXXXX")
    cat >"$fresh/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>glassmesh</groupId> <artifactId>kafka</artifactId> <version>1</version> <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId> <artifactId>kafka_2.13</artifactId> <version>$KAFKA</version>
      <exclusions>
        <!-- Named by the broker's own pom, never published; the broker does not load it. -->
        <exclusion> <groupId>org.apache.kafka</groupId> <artifactId>kafka-tools-api</artifactId> </exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId> <artifactId>log4j-slf4j-impl</artifactId> <version>$LOG4J</version>
    </dependency>
  </dependencies>
</project>
POM
    cat >"$fresh/log4j2.properties" <<LOG
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
LOG
    mvn -q -B -Dstyle.color=never -f "$fresh/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$fresh/libs" >&2
    javac -cp "$fresh/libs/*" -d "$fresh" "$HERE/Topics.java"
    rm -rf "$KAFKA_HOME"
    mv "$fresh" "$KAFKA_HOME"
  fi
  echo "$KAFKA_HOME"
}

install_nats() {
  if [ ! -x "$NATS_HOME/nats-server" ]; then
    need go "install Go, nats-server is built from its module"
    CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-trimpath GOBIN=$NATS_HOME \
      go install -ldflags='-s -w' "github.com/nats-io/nats-server/v2@v$NATS" >&2
  fi
  echo "$NATS_HOME/nats-server"
}

install_postgres() {
  if [ -z "$(postgres_bin)" ]; then
    [ "$(id -u)" = 0 ] || die "PostgreSQL is missing: install your system's package 'postgresql', or run this as root"
    need apt-get "install PostgreSQL 14 or newer by hand"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2 </dev/null
  fi
  echo "$(postgres_bin)/postgres"
}

# Debian keeps each version in a folder of its own, outside PATH.
postgres_bin() {
  local bin
  for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) $(command -v postgres | xargs -r dirname); do
    if [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ]; then echo "$bin"; return; fi
  done
}

## Start: each leaves PID set, and `ready_<part>` says when it serves

start_kafka() {
  local port=$1
  [ -e "$KAFKA_HOME/Topics.class" ] || die "run 'parts.sh install kafka' first"
  if [ ! -e "$DIR/server.properties" ]; then
    kafka_settings "$port" "$(free_port)" >"$DIR/server.properties.new"
    java -Xmx64m -cp "$KAFKA_HOME/libs/*" kafka.tools.StorageTool format \
      -t RW0Yr7O2QdGDcfrua1qDTg -c "$DIR/server.properties.new" >"$DIR/log" 2>&1 || fail "its storage could not be formatted"
    mv "$DIR/server.properties.new" "$DIR/server.properties"
  fi
  launch java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dlog4j2.configurationFile="$KAFKA_HOME/log4j2.properties" -cp "$KAFKA_HOME/libs/*" kafka.Kafka "$DIR/server.properties"
}

# Topics are created, not made on first use: a dead letter queue has another number of partitions than its topic, and a
# misspelt topic should fail.
kafka_settings() {
  cat <<SETTINGS
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$HOST:$2
listeners=PLAINTEXT://$HOST:$1,CONTROLLER://$HOST:$2
advertised.listeners=PLAINTEXT://$HOST:$1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$DIR/data
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A group of one needs nobody to wait for.
group.initial.rebalance.delay.ms=0
# After a crash the broker waits until its dead self's session ends: 9 s by default. At 2 s a busy machine loses it.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
# A small broker.
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=2
SETTINGS
}

# Asks for three seconds at a time: an attempt costs a virtual machine.
ready_kafka() {
  local topic topics=()
  for topic in $TOPICS; do topics+=("$topic:$PARTITIONS" "$topic.dlq:1"); done
  java -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$KAFKA_HOME/log4j2.properties" \
    -cp "$KAFKA_HOME:$KAFKA_HOME/libs/*" Topics "$HOST:$1" 3 "${topics[@]}"
}

# Core NATS only. Live messages are ephemeral by design; what it must survive a crash with is its address.
start_nats() {
  [ -x "$NATS_HOME/nats-server" ] || die "run 'parts.sh install nats' first"
  printf 'listen: %s\nserver_name: real\n' "$HOST:$1" >"$DIR/nats.conf"
  launch "$NATS_HOME/nats-server" -c "$DIR/nats.conf"
}

# It says hello with an INFO line.
ready_nats() { timeout 2 bash -c "read -r hello <>/dev/tcp/$HOST/$1 && [[ \$hello == INFO* ]]"; }

start_postgres() {
  local bin as=(); bin=$(postgres_bin)
  [ -n "$bin" ] || die "run 'parts.sh install postgres' first"
  if [ "$(id -u)" = 0 ]; then # which PostgreSQL refuses to be
    as=(setpriv --reuid=postgres --regid=postgres --init-groups)
    chown postgres "$DIR"
    "${as[@]}" test -w "$DIR" || die "the user postgres cannot reach $DIR: choose a folder below /tmp"
  fi
  if [ ! -e "$DIR/initialised" ]; then
    rm -rf "$DIR/data"
    echo postgres >"$DIR/password"
    "${as[@]}" "$bin/initdb" -D "$DIR/data" -U postgres -A scram-sha-256 --pwfile="$DIR/password" -E UTF8 --no-locale \
      --no-sync >"$DIR/log" 2>&1 || fail "initdb failed"
    touch "$DIR/initialised"
  fi
  # fsync is for a machine that loses power. The rest stays as it is: a killed server must keep what it has committed, so
  # commits are synchronous and pages are whole.
  launch "${as[@]}" "$bin/postgres" -D "$DIR/data" -p "$1" -k '' -c listen_addresses=$HOST -c fsync=off \
    -c shared_buffers=64MB -c max_connections=200
}

ready_postgres() {
  local bin name; bin=$(postgres_bin)
  sql() { PGPASSWORD=postgres "$bin/psql" -h "$HOST" -p "$PORT" -U postgres -d postgres -XqAt -v ON_ERROR_STOP=1 -c "$1"; }
  sql 'select 1' || return 1
  for name in $LEDGERS; do
    [ "$(sql "select 1 from pg_roles where rolname = '$name'")" ] || sql "create role $name login password '$name'" || return 1
    if [ -z "$(sql "select 1 from pg_database where datname = '$name'")" ]; then
      sql "create database $name owner $name" || return 1
      # One service must not be able to read another's ledger.
      sql "revoke connect on database $name from public" || return 1
    fi
  done
}

## What every part has: a folder with `port`, `pid`, `log`

# The process it left, if that is still this part: a recycled pid does not name our folder.
running() { PID=$(cat "$DIR/pid" 2>/dev/null) && grep -qsaF "$DIR/" "/proc/$PID/cmdline"; }

# Whether any of these processes does anything: a zombie has no command line.
alive() {
  local pid
  for pid; do if grep -qsa . "/proc/$pid/cmdline"; then return; fi; done
  return 1
}

# Whether any of these pids is taken, be it by a zombie.
listed() {
  local pid
  for pid; do if [ -e "/proc/$pid" ]; then return; fi; done
  return 1
}

# In a session of its own, so that an interrupt at the terminal reaches the tests and not the broker.
launch() {
  setsid "$@" >>"$DIR/log" 2>&1 </dev/null &
  PID=$!
  echo "$PID" >"$DIR/pid"
}

fail() {
  say "$PART: $1; the end of $DIR/log:"
  tail -n 25 "$DIR/log" >&2 || true
  exit 1
}

free_port() {
  local port
  while port=$((20000 + RANDOM % 10000)); do # below the range that clients' connections are given ports from
    (exec 3<>"/dev/tcp/$HOST/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

start() {
  ! running || die "$PART already runs in $DIR (process $PID)"
  PORT=${1:-$(cat "$DIR/port" 2>/dev/null || free_port)}
  ! (exec 3<>"/dev/tcp/$HOST/$PORT") 2>/dev/null || die "$PART cannot listen on $HOST:$PORT: something else does"
  echo "$PORT" >"$DIR/port"
  "start_$PART" "$PORT"
  local end=$((SECONDS + PATIENCE))
  until "ready_$PART" "$PORT" >"$DIR/ready.log" 2>&1; do
    alive "$PID" || fail "it ended while it started"
    [ $SECONDS -lt $end ] || { end_it KILL; fail "it did not serve within $PATIENCE s ($(tail -n 1 "$DIR/ready.log"))"; }
    sleep 0.1
  done
  echo "$HOST:$PORT"
}

# end_it <signal>: it and its children, until they are gone. A crash is all of them at once.
end_it() {
  local all; mapfile -t all < <(echo "$PID"; pgrep -P "$PID")
  if [ "$1" = KILL ]; then kill -KILL "${all[@]}" 2>/dev/null || true; else kill "-$1" "$PID" 2>/dev/null || true; fi
  wait_until_not alive 20 "${all[@]}" || { say "$PART did not end within 20 s: killed"; kill -KILL "${all[@]}" 2>/dev/null || true; }
  # PostgreSQL does not start while a zombie has the pid of its last self.
  wait_until_not listed 5 "${all[@]}" || true
  rm -f "$DIR/pid"
}

# wait_until_not <question> <seconds> <argument>...
wait_until_not() {
  local question=$1 end=$((SECONDS + $2)); shift 2
  while "$question" "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}

stop() {
  if ! running; then return; fi
  if [ "$PART" = postgres ]; then end_it INT; else end_it TERM; fi # PostgreSQL's TERM waits for its clients to leave
}

usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2; }

COMMAND=${1:-}; shift || usage
case $COMMAND in
install)
  mkdir -p "$TOOLS"
  exec 9>"$TOOLS/.lock"; flock 9 # two at once would write the same files
  [ $# -gt 0 ] || set -- kafka nats postgres
  for PART; do
    declare -F "install_$PART" >/dev/null || die "no such part: $PART"
    "install_$PART" 9>&-
  done ;;
start | stop | kill | restart | address)
  PART=${1:-} DIR=${2:-}
  [ -n "$DIR" ] || usage
  declare -F "start_$PART" >/dev/null || die "no such part: $PART"
  mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
  case $COMMAND in
  start) start "${3:-}" ;;
  stop) stop ;;
  kill) running || die "$PART does not run in $DIR"; end_it KILL ;;
  restart) stop; start ;;
  address) [ -e "$DIR/port" ] || die "$PART was never started in $DIR"; echo "$HOST:$(cat "$DIR/port")" ;;
  esac ;;
*) usage ;;
esac
