#!/usr/bin/env bash
# Validates the AsyncAPI document of a gateway with AsyncAPI's own parser, and the messages that the gateway sends to another
# WebSocket client with the document. The script needs Node and npm, and fails without them.
#
#   check.sh http://127.0.0.1:8080
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PROGRAMS=$("$HERE/../programs.sh" asyncapi "$HERE")
GATEWAY=${1:?expected the URL of a gateway}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$PROGRAMS/node_modules" "$folder/node_modules"
cp "$HERE"/{check.mjs,package.json} "$folder"
cd "$folder"
timeout 300 node check.mjs "$GATEWAY"
