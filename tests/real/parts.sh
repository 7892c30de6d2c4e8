#!/usr/bin/env bash
# Runs the real parts that the mesh works with, without containers.
#
#   parts.sh install [part]...             install the parts that are missing; prints each part's programs
#   parts.sh source  <part>                print the folder with the source of the part (prometheus)
#   parts.sh start   <part> <dir> [port]   start the part with its data in <dir>, wait until it serves, print its address
#   parts.sh stop    <part> <dir>          stop the part and wait for its end
#   parts.sh kill    <part> <dir>          end the part and its children at once, as a crash would (SIGKILL)
#   parts.sh restart <part> <dir>          stop the part if it runs, and start it with the same address and data
#   parts.sh address <part> <dir> [name]   print the last address of the part, or a further address by its name
#
# Parts: kafka, nats, postgres (these are installed by default), valkey; otelcol, prometheus, alertmanager, jaeger, loki;
# and checkers and chromium, which are only programs. parts/<part>.sh contains the details of a part. Each part needs a <dir> of its
# own. Without a port, the first start picks a free one, and later starts keep it. A start reads <dir>/environment, if it exists.
# Programs are installed in ${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}. For Linux.
set -euo pipefail

# The topics of proto::topics, with the number of partitions; every topic has a dead letter queue, which needs no order and so
# only one partition.
TOPICS="inventory.events orders.events payments.events shipments.events"
PARTITIONS=3
# The services with a ledger: each has a database and a role with the name of the service, which is also the password.
LEDGERS="catalog inventory orders payments shipping"

# The password of the user `mesh` of parts with a login. It has spaces, as passwords may have.
SECRET="secret of mesh"

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}
HOST=127.0.0.1
# The time limit of a start, in seconds. Kafka needs 3 s on an idle machine, 20 s while compilers run on it.
PATIENCE=${REAL_PATIENCE:-120}

say() { printf 'parts: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is missing: $2"; }

for file in "$HERE"/parts/*.sh; do
  # shellcheck source=/dev/null # one a part
  . "$file"
done

## What every part has: install_, start_ and ready_<part>, and a folder with `port`, `pid`, `log`

# Whether the recorded process still is this part: a reused pid does not have our folder in its command line.
running() { PID=$(cat "$DIR/pid" 2>/dev/null) && grep -qsaF "$DIR/" "/proc/$PID/cmdline"; }

# Whether any of these processes still runs: a zombie has no command line.
alive() {
  local pid
  for pid; do if grep -qsa . "/proc/$pid/cmdline"; then return; fi; done
  return 1
}

# Whether any of these pids exists, be it as a zombie.
listed() {
  local pid
  for pid; do if [ -e "/proc/$pid" ]; then return; fi; done
  return 1
}

# Starts a process in a session of its own, so that an interrupt at the terminal reaches the tests and not the broker.
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
  while port=$((20000 + RANDOM % 10000)); do # below the range from which the system takes ports for outgoing connections
    (exec 3<>"/dev/tcp/$HOST/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# port_for <name>: another port of this part, the same at every start.
port_for() {
  [ -e "$DIR/port.$1" ] || free_port >"$DIR/port.$1"
  cat "$DIR/port.$1"
}

# configured <file>: copies the deployed configuration of the part, unless its folder has one already.
configured() {
  [ -e "$DIR/${1##*/}" ] || cp "$HERE/../../deploy/components/observability/$1" "$DIR"
}

# answers <port> <path>: whether an HTTP request gets the status 200.
answers() {
  timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" "$2" "$0" >&3 &&
    read -r _ status _ <&3 && [ "$status" = 200 ]' "$HOST" "$1" "$2"
}

start() {
  ! running || die "$PART already runs in $DIR (process $PID)"
  PORT=${1:-$(cat "$DIR/port" 2>/dev/null || free_port)}
  ! (exec 3<>"/dev/tcp/$HOST/$PORT") 2>/dev/null || die "$PART cannot listen on $HOST:$PORT: something else does"
  echo "$PORT" >"$DIR/port"
  if [ -e "$DIR/environment" ]; then
    set -a
    # shellcheck source=/dev/null # the caller that prepared the folder wrote it
    . "$DIR/environment"
    set +a
  fi
  "start_$PART" "$PORT"
  local end=$((SECONDS + PATIENCE))
  until "ready_$PART" "$PORT" >"$DIR/ready.log" 2>&1; do
    # Checked twice: at the moment of an exec a process has no command line, either.
    alive "$PID" || { sleep 0.2; alive "$PID" || fail "it ended while it started"; }
    [ $SECONDS -lt $end ] || { end_it KILL; fail "it did not serve within $PATIENCE s ($(tail -n 1 "$DIR/ready.log"))"; }
    sleep 0.1
  done
  echo "$HOST:$PORT"
}

# end_it <signal>: ends the process and waits until it and its children are gone. A crash (KILL) ends all of them at once.
end_it() {
  local all; mapfile -t all < <(echo "$PID"; pgrep -P "$PID")
  if [ "$1" = KILL ]; then kill -KILL "${all[@]}" 2>/dev/null || true; else kill "-$1" "$PID" 2>/dev/null || true; fi
  wait_until_not alive 20 "${all[@]}" || { say "$PART did not end within 20 s: killed"; kill -KILL "${all[@]}" 2>/dev/null || true; }
  # PostgreSQL does not start while a zombie has the pid of its former process.
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
  [ $# -gt 0 ] || set -- kafka nats postgres
  for PART; do
    declare -F "install_$PART" >/dev/null || die "no such part: $PART"
    exec 9>"$TOOLS/.lock-$PART"; flock 9 # two installations at once would build it twice
    "install_$PART" 9>&-
  done ;;
source)
  PART=${1:-}
  declare -F "source_$PART" >/dev/null || die "no source of the part: $PART"
  mkdir -p "$TOOLS"
  "source_$PART" ;;
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
  address)
    file=$DIR/port${3:+.$3}
    [ -e "$file" ] || die "$PART was never started in $DIR, or has no address ${3:-}"
    echo "$HOST:$(cat "$file")" ;;
  esac ;;
*) usage ;;
esac
