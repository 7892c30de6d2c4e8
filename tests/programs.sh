#!/usr/bin/env bash
# Installs the npm packages of a folder with package.json and package-lock.json, unless they are installed, and prints where. Packages
# run no scripts of their own. The script needs Node and npm, and fails without them.
#
#   programs.sh NAME FOLDER
set -euo pipefail
NAME=${1:?expected a name for the packages} FOLDER=${2:?expected a folder with package.json}
TOOLS=${GLASSMESH_TOOLS:-$HOME/.cache/glassmesh-tools}
# The place depends on the lock file: another lock file is another place.
programs=$TOOLS/$NAME-$(sha256sum "$FOLDER/package-lock.json" | cut -c1-12)

command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer" >&2; exit 1; }
if [ ! -d "$programs" ]; then
  mkdir -p "$TOOLS"
  fresh=$(mktemp -d "$TOOLS/$NAME.XXXXXX")
  cp "$FOLDER/package.json" "$FOLDER/package-lock.json" "$fresh"
  (cd "$fresh" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >&2)
  mv "$fresh" "$programs"
fi
echo "$programs"
