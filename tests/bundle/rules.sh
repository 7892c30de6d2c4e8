#!/usr/bin/env bash
# Checks the rules with promtool, and runs their tests in grafana/rules/tests. A mistake in a rule or in an expectation must
# fail, as it does in `cargo test` (tests/drift/rules.rs). Without promtool it fails.
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

changed=$(mktemp -d)
trap 'rm -rf "$changed"' EXIT
count=0
while IFS=$'\t' read -r file before after; do
  [[ $file == \#* ]] && continue
  rm -rf "${changed:?}/rules"
  cp -r grafana/rules "$changed/rules"
  for yaml in "$changed"/rules/*.yaml "$changed/rules/tests/$file"; do
    text=$(<"$yaml")
    printf '%s\n' "${text//"$before"/"$after"}" >"$yaml"
  done
  if "$promtool" test rules "$changed/rules/tests/$file" >"$changed/output" 2>&1; then
    echo "$file passes with '$after' in place of '$before'" >&2
    failed=1
  elif ! grep -q 'exp:' "$changed/output"; then
    echo "$file with '$after' in place of '$before' fails otherwise than by a difference:" >&2
    cat "$changed/output" >&2
    failed=1
  fi
  count=$((count + 1))
done <grafana/rules/tests/mutations.tsv
((count >= 5)) || { echo "only $count changes were tried" >&2; failed=1; }
exit "$failed"
