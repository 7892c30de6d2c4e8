#!/usr/bin/env bash
# Validates the AsyncAPI document of a gateway with AsyncAPI's own parser, and the messages that the gateway sends to another
# WebSocket client with the document. The script needs Node and npm, and fails without them.
#
#   check.sh http://127.0.0.1:8080
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}
# The folder depends on the lock file: another lock file is another folder.
PROGRAMS=$TOOLS/asyncapi-$(sha256sum "$HERE/package-lock.json" | cut -c1-12)
GATEWAY=${1:?expected the URL of a gateway}

command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer" >&2; exit 1; }
if [ ! -d "$PROGRAMS" ]; then
  mkdir -p "$TOOLS"
  fresh=$(mktemp -d "$TOOLS/asyncapi.XXXXXX")
  cp "$HERE/package.json" "$HERE/package-lock.json" "$fresh"
  (cd "$fresh" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2)
  mv "$fresh" "$PROGRAMS"
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$PROGRAMS/node_modules" "$folder/node_modules"
cp "$HERE"/{check.mjs,package.json} "$folder"
cd "$folder"
timeout 300 node check.mjs "$GATEWAY"
