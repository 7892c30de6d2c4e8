#!/usr/bin/env bash
# Uses the console as a person would, in Debian's Chromium, against meshes that it starts. A failed test keeps a screenshot.
#
#   browser.sh MESH_BINARY [chapter]...    all chapters, or some: frame, orders, …
#
# CONSOLE_SHOTS is the folder for the screenshots of failed tests.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MESH=$(realpath -e "${1:?expected the mesh program, as target/release/mesh}")
shift
CHROMIUM=$("$HERE/../../tests/real/parts.sh" install chromium)
export MESH CHROMIUM NO_COLOR=1
"$HERE/install.sh"

# Files that tests share are not chapters.
if [ $# = 0 ]; then
  set -- $(cd "$HERE/browser" && grep -l '= chapter(' ./*.mjs | xargs -n1 basename -s .mjs)
fi
files=()
for chapter; do
  [ -f "$HERE/browser/$chapter.mjs" ] || { echo "no such chapter: $chapter" >&2; exit 2; }
  files+=("$HERE/browser/$chapter.mjs")
done
# One chapter after the other: each has a mesh and a browser.
exec timeout --kill-after=30s "${BROWSER_LIMIT:-20m}" node --test --test-concurrency=1 --test-reporter=spec "${files[@]}"
