#!/usr/bin/env bash
# The demo page's dist/, with synthetic samples that the program draws, and a copy beside the program, which serves it. `make page`
# runs it after the package is built.
set -euo pipefail
program="$1"
cd "$(dirname "$0")"
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}"
export PATH="$target/tools/node/node_modules/.bin:$PATH"
"$program" phantom --limit 24 --volume --out public/samples
../node_modules/.bin/tsc -p .
../node_modules/.bin/vite build .
beside="$(dirname "$program")/page"
rm -rf "$beside"
cp -r dist "$beside"
