#!/usr/bin/env bash
# Validates the OpenAPI document of a gateway with redocly, generates a client from it, and places an order with that client. The
# script needs Node and npm, and fails without them.
#
#   check.sh http://127.0.0.1:8080
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROGRAMS=$("$HERE/../programs.sh" openapi "$HERE")
GATEWAY=${1:?expected the URL of a gateway}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$PROGRAMS/node_modules" "$folder/node_modules"
cp "$HERE"/{client.ts,globals.d.ts,tsconfig.json,package.json,redocly.yaml} "$folder"
cd "$folder"
curl --fail --silent --show-error --max-time 10 --output openapi.json "$GATEWAY/openapi.json"

# No telemetry and no search for updates: from here on, requests go to the gateway only.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
linted() { node_modules/.bin/redocly lint --config redocly.yaml --max-problems 20 "$1" >lint.log 2>&1; }
linted openapi.json || { cat lint.log >&2; exit 1; }
# The validation must be able to fail: this document has a reference to a missing schema.
sed 's|#/components/schemas/OrderPage|#/components/schemas/Nothing|' openapi.json >broken.json
! linted broken.json || { echo "the linter did not report a reference to a missing schema" >&2; exit 1; }

node_modules/.bin/openapi-typescript openapi.json --output api.ts >generated.log 2>&1 || { cat generated.log >&2; exit 1; }
node_modules/.bin/tsc --project . --pretty false
node client.js "$GATEWAY"
