#!/usr/bin/env bash
# Uses the console as a person would, in Debian's Chromium, against meshes that it starts. A failed test keeps a screenshot.
#
#   browser.sh MESH_BINARY [chapter]...    all chapters, or some: frame, orders, …
#   browser.sh --at URL chapter...         chapters for a mesh that runs already: pods (tests/kubernetes/pods.sh runs it)
#
# CONSOLE_SHOTS is the folder for the screenshots of failed tests.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "${1:-}" = --at ]; then
  export CONSOLE_URL=${2:?expected the address of a gateway, as http://127.0.0.1:8080}
  shift 2
  [ $# != 0 ] || { echo "expected a chapter: pods" >&2; exit 2; }
else
  MESH=$(realpath -e "${1:?expected the mesh program, as target/release/mesh}")
  export MESH
  shift
fi
CHROMIUM=$("$HERE/../../tests/real/parts.sh" install chromium)
export CHROMIUM NO_COLOR=1
"$HERE/install.sh"

# Files that tests share are not chapters, and some chapters need a mesh that runs already.
if [ $# = 0 ]; then
  set -- $(cd "$HERE/browser" && grep -l '^const useCase = chapter(' ./*.mjs | xargs grep -L CONSOLE_URL | xargs -n1 basename -s .mjs)
fi
files=()
for chapter; do
  [ -f "$HERE/browser/$chapter.mjs" ] || { echo "no such chapter: $chapter" >&2; exit 2; }
  files+=("$HERE/browser/$chapter.mjs")
done
# A run that reaches its limit ends without its last steps: what they would stop is found in the folder for temporary files.
export CONSOLE_SHOTS=${CONSOLE_SHOTS:-${TMPDIR:-/tmp}/glassmesh-console-failures}
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/glassmesh-browser.XXXXXX")
export TMPDIR
finish() {
  local folder
  for folder in "$TMPDIR"/glassmesh-stack.*; do
    [ ! -d "$folder" ] || "$HERE/../../tests/bundle/stack.sh" stop "$folder" || true
  done
  rm -rf "$TMPDIR"
}
trap finish EXIT
# One chapter after the other: each has a mesh and a browser.
timeout --kill-after=30s "${BROWSER_LIMIT:-20m}" node --test --test-concurrency=1 --test-reporter=spec "${files[@]}"
