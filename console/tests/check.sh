#!/usr/bin/env bash
# Checks the console without a browser: types, unit tests, structure, sizes, and the vendored libraries against the registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

./install.sh
node_modules/.bin/tsc --project .. --pretty false
node --test --test-reporter=spec unit/*.test.js
node structure.mjs
node sizes.mjs
node vendor.mjs
