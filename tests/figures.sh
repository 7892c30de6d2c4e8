#!/usr/bin/env bash
# Measures the mesh for the README's table: the time until it is ready, memory, latencies, and the result of the audit.
#
#   tests/figures.sh [RATE] [SECONDS]     200 orders/s for 60 s by default
#
# It needs Linux (/proc) and the release build, and a machine that is otherwise idle: the load comes from the same machine.
# The simulated delays of the third party and of shipping are zero, so that only the mesh's own time is measured.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RATE=${1:-200}
SECONDS_OF_LOAD=${2:-60}
PORT_BASE=${PORT_BASE:-18080}
STARTS=5

cargo build --locked --release --package mesh
MESH=${CARGO_TARGET_DIR:-$PWD/target}/release/mesh
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/glassmesh-figures.XXXXXX")
cd "$FOLDER"
UP=
finish() {
  if [ -n "$UP" ]; then kill -TERM "$UP" 2>/dev/null && wait "$UP" || true; fi
  rm -rf "$FOLDER"
}
trap finish EXIT

up() {
  NO_COLOR=1 "$MESH" up --fresh --port-base "$PORT_BASE" \
    --set shipping.dispatch_after=0s --set shipping.deliver_after=0s --set payments.provider_delay=0s >up.log 2>&1 &
  UP=$!
  until grep -q '^ready in' up.log; do
    kill -0 "$UP" 2>/dev/null || { cat up.log; exit 1; }
    sleep 0.1
  done
}

down() {
  kill -TERM "$UP"
  wait "$UP"
  UP=
}

# One line for each process: its name, and its proportional and its resident set in MB (10^6 bytes).
memory() {
  local service pid
  "$MESH" status --json | tr -d '",:' | awk '$1 == "service" { service = $2 } $1 == "pid" { print service, $2 }' |
    while read -r service pid; do
      awk -v service="$service" '/^Pss:/ { pss = $2 } /^Rss:/ { rss = $2 }
        END { printf "%-14s %8.1f %8.1f\n", service, pss * 1024 / 1e6, rss * 1024 / 1e6 }' "/proc/$pid/smaps_rollup"
    done
}

sum() { awk '{ print; pss += $2; if ($3 > most) most = $3 } END { printf "%-14s %8.1f %8.1f (the largest)\n", "all", pss, most }'; }

echo "== from mesh up to all ready, $STARTS starts"
for _ in $(seq "$STARTS"); do
  up
  grep '^ready in' up.log
  down
done

up
sleep 10
echo "== memory in MB, idle: PSS, RSS"
memory | sum

echo "== $RATE orders/s for $SECONDS_OF_LOAD s"
"$MESH" load --rate "$RATE" --duration "${SECONDS_OF_LOAD}s" --json >load.json &
LOAD=$!
sleep $((SECONDS_OF_LOAD * 9 / 10))
echo "== memory in MB, near the end of the load: PSS, RSS"
memory | sum
code=0
wait "$LOAD" || code=$?
cat load.json
"$MESH" audit --wait 60s || code=$?
exit "$code"
