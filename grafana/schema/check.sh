#!/usr/bin/env bash
# Holds the dashboards to Grafana's own published types: a key that Grafana does not know, or a value that it does not take,
# is an error. Node and npm are needed; what is missing fails.
#
#   check.sh [file]...    without files: all of ../dashboards
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
HOME_OF_TYPES=$("$HERE/../../tests/programs.sh" dashboard-schema "$HERE")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$HOME_OF_TYPES/node_modules" "$folder/node_modules"

# held <file>...: a literal of that type, since only there what the type does not know is an error. The line numbers are
# those of the JSON.
held() {
  local file
  rm -f "$folder"/*.ts
  cp "$HERE/dashboard.ts" "$HERE/tsconfig.json" "$folder"
  for file; do
    { printf "import type { Dashboard } from './dashboard'; export const it: Dashboard = "; cat "$file"; } \
      >"$folder/$(basename "$file" .json).ts"
  done
  (cd "$folder" && node_modules/.bin/tsc --project . --pretty false)
}

if [ $# = 0 ]; then set -- "$HERE"/../dashboards/*.json; fi
held "$@"
# A check that cannot fail is none: one letter of a key is changed.
sed 's/"displayMode"/"displaymode"/' "$1" >"$folder/misspelt.json"
if held "$folder/misspelt.json" >"$folder/log"; then
  echo "a key that is misspelt was not found" >&2
  exit 1
fi
grep -q "'\"displaymode\"' does not exist" "$folder/log" || { cat "$folder/log" >&2; exit 1; }
echo "$# dashboards are as Grafana's types have them"
