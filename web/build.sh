#!/usr/bin/env bash
# The package's dist/: the WebAssembly module (CPU, SIMD) and the compiled TypeScript. Needs Node, and Rust's wasm32 target and
# wasm-bindgen, which it installs.
set -euo pipefail
cd "$(dirname "$0")"
export PATH="$PATH:$HOME/.cargo/bin"
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}"
version=$(sed -n 's/^wasm-bindgen = "=\(.*\)"/\1/p' ../Cargo.toml)
tools="$target/tools"
command -v npm >/dev/null || { echo "web: npm is missing; install Node 20 or newer (apt-get install nodejs npm)" >&2; exit 1; }
rustup target list --installed | grep -qx wasm32-unknown-unknown || rustup target add wasm32-unknown-unknown
if [ "$("$tools/bin/wasm-bindgen" --version 2>/dev/null || true)" != "wasm-bindgen $version" ]; then
    CARGO_TARGET_DIR="$target/tools/target" cargo install wasm-bindgen-cli --version "$version" --root "$tools"
fi
[ -d node_modules ] || npm ci --no-audit --no-fund
CARGO_TARGET_DIR="$target" RUSTFLAGS="-C target-feature=+simd128" \
    cargo build --release --locked -p clip-lung-web --target wasm32-unknown-unknown
rm -rf dist js/cpu
"$tools/bin/wasm-bindgen" --target web --out-dir js/cpu "$target/wasm32-unknown-unknown/release/clip_lung_web.wasm"
# features one by one: `--all-features` yields modules that browsers refuse
node_modules/.bin/wasm-opt -O3 --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
    --enable-mutable-globals --enable-reference-types --enable-multivalue js/cpu/clip_lung_web_bg.wasm -o js/cpu/opt.wasm
mv js/cpu/opt.wasm js/cpu/clip_lung_web_bg.wasm
node_modules/.bin/tsc
mkdir -p dist/cpu
cp js/cpu/clip_lung_web.js js/cpu/clip_lung_web.d.ts js/cpu/clip_lung_web_bg.wasm dist/cpu/
ls -l dist dist/cpu
echo "module, gzip: $(gzip -9 -c dist/cpu/clip_lung_web_bg.wasm | wc -c) bytes; scripts, gzip: $(cat dist/*.js dist/cpu/*.js | gzip -9 -c | wc -c) bytes"
