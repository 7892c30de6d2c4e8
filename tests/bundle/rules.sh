#!/usr/bin/env bash
# Asks promtool whether it understands the rules, and whether they say what grafana/rules/tests expects of them. Without
# promtool it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

promtool=$(tests/real/parts.sh install prometheus | grep '/promtool$')

"$promtool" check rules --lint=all --lint-fatal grafana/rules/*.yaml
# One process a file: each is small, and they need not wait for each other.
pids=() failed=0
for file in grafana/rules/tests/*.yaml; do
  "$promtool" test rules "$file" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
