#!/usr/bin/env bash
# Checks the deployed files with each tool's own validator. A missing tool is a failure: nothing is skipped.
#
#   check.sh          what .ci/run checks
#   check.sh loki     Loki's configuration: its program takes twenty minutes to build, so that is done by hand
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

CONFIG=deploy/components/observability
PARTS=tests/real/parts.sh
TOOLS=${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT

# program <part> <name>: prints the path of a program of a part.
program() {
  local found
  found=$("$PARTS" install "$1" | grep "/$2\$") || { echo "there is no $2 in the part $1" >&2; return 1; }
  echo "$found"
}

ask() {
  echo "+ ${*/#"$TOOLS"*\//}"
  "$@"
}

# Every combination of files with which the Collector is started.
collector() {
  local otelcol; otelcol=$(program otelcol otelcol)
  local own=(--config "$CONFIG/otel/collector.yaml") lens=(--config "$CONFIG/otel/lens.yaml")
  local sampling=(--config "$CONFIG/otel/sampling.yaml")
  ask "$otelcol" validate "${own[@]}"
  ask "$otelcol" validate "${own[@]}" "${lens[@]}"
  ask "$otelcol" validate "${own[@]}" "${sampling[@]}"
  ask "$otelcol" validate "${own[@]}" "${lens[@]}" "${sampling[@]}"
  LINES=$FOLDER/lines.json ask "$otelcol" validate "${own[@]}" --config tests/bundle/lines.yaml
}

# In a folder as it is mounted: Prometheus looks for targets and rules beside its file.
prometheus() {
  local promtool where; promtool=$(program prometheus promtool)
  for where in compose kubernetes; do
    mkdir -p "$FOLDER/$where/scrape" "$FOLDER/$where/rules"
    cp "$CONFIG/prometheus/prometheus.yaml" "$FOLDER/$where"
    cp "$CONFIG/prometheus/scrape/$where.yaml" "$FOLDER/$where/scrape"
    cp grafana/rules/*.yaml "$FOLDER/$where/rules"
    ask "$promtool" check config --lint=all --lint-fatal "$FOLDER/$where/prometheus.yaml"
  done
}

alertmanager() { ask "$(program alertmanager amtool)" check-config "$CONFIG/alertmanager/alertmanager.yaml"; }

jaeger() { ask "$(program jaeger jaeger)" validate --config "$CONFIG/jaeger/jaeger.yaml"; }

compose() {
  local docker_compose; docker_compose=$(program checkers docker-compose)
  (cd deploy && ask "$docker_compose" --file compose.yaml config --quiet && ask "$docker_compose" config --quiet)
}

image() {
  ask "$(program checkers hadolint)" deploy/Dockerfile
  # The Dockerfile names the toolchain itself: rust-toolchain.toml would add components that its build does not need.
  local rust; rust=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  grep -qx "ARG RUST=$rust" deploy/Dockerfile || { echo "deploy/Dockerfile: expected ARG RUST=$rust, as in rust-toolchain.toml"; return 1; }
}

loki() { LOKI_DATA=$FOLDER ask "$(program loki loki)" -verify-config -config.expand-env=true -config.file="$CONFIG/loki/loki.yaml"; }

[ $# -gt 0 ] || set -- collector prometheus alertmanager jaeger compose image
for check; do "$check"; done
