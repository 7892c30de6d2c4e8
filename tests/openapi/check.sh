#!/usr/bin/env bash
# Holds the OpenAPI document that a gateway serves to the specification, with a program that is not ours, and makes a client of it
# that buys something there. Node and npm are needed; what is missing fails.
#
#   check.sh http://127.0.0.1:8080
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}
# By what is pinned: another lock is another folder.
PROGRAMS=$TOOLS/openapi-$(sha256sum "$HERE/package-lock.json" | cut -c1-12)
GATEWAY=${1:?the address of a gateway}

command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer" >&2; exit 1; }
if [ ! -d "$PROGRAMS" ]; then
  mkdir -p "$TOOLS"
  fresh=$(mktemp -d "$TOOLS/openapi.XXXXXX")
  cp "$HERE/package.json" "$HERE/package-lock.json" "$fresh"
  (cd "$fresh" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2)
  mv "$fresh" "$PROGRAMS"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$PROGRAMS/node_modules" "$folder/node_modules"
cp "$HERE"/{client.ts,globals.d.ts,tsconfig.json,package.json,redocly.yaml} "$folder"
cd "$folder"
curl --fail --silent --show-error --max-time 10 --output openapi.json "$GATEWAY/openapi.json"

# Nothing leaves this machine but the questions to the gateway.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
linted() { node_modules/.bin/redocly lint --config redocly.yaml --max-problems 20 "$1" >lint.log 2>&1; }
linted openapi.json || { cat lint.log >&2; exit 1; }
# A check that cannot fail is none: a reference leads nowhere.
sed 's|#/components/schemas/OrderPage|#/components/schemas/Nothing|' openapi.json >broken.json
! linted broken.json || { echo "a reference to nothing was not found" >&2; exit 1; }

node_modules/.bin/openapi-typescript openapi.json --output api.ts >generated.log 2>&1 || { cat generated.log >&2; exit 1; }
node_modules/.bin/tsc --project . --pretty false
node client.js "$GATEWAY"
