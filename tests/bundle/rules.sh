#!/usr/bin/env bash
# Checks the rules with promtool, and runs their tests in grafana/rules/tests. Without promtool it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

promtool=$(tests/real/parts.sh install prometheus | grep '/promtool$')

"$promtool" check rules --lint=all --lint-fatal grafana/rules/*.yaml
# One process for each file: the processes are small, and run in parallel.
pids=() failed=0
for file in grafana/rules/tests/*.yaml; do
  "$promtool" test rules "$file" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit "$failed"
