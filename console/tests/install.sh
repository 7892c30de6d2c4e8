#!/usr/bin/env bash
# Installs what checks the console, in the versions of package-lock.json, without running their scripts and without a browser. It
# does nothing if they are installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

need() { command -v "$1" >/dev/null || { echo "$1 is missing: $2" >&2; exit 1; }; }

need node "install Node.js 20.19 or newer"
need npm "install npm, which comes with Node.js"
# Older versions do not recognise a module without a package.json beside it.
node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' ||
  { echo "node is version $(node --version): install Node.js 20.19 or newer" >&2; exit 1; }
if ! cmp -s package-lock.json node_modules/.installed; then
  npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2
  cp package-lock.json node_modules/.installed
fi
