#!/usr/bin/env bash
# The package's dist/: two WebAssembly modules of one facade (CPU with SIMD, WebGPU) and the compiled TypeScript; and the module
# that reads DICOM for the demo page. `make web` runs it after `make setup-web`.
set -euo pipefail
cd "$(dirname "$0")"
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}"
export PATH="$target/tools/node/node_modules/.bin:$target/tools/bin:$PATH:$HOME/.cargo/bin"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund

module() { # feature, cargo profile, flags of rustc, level of wasm-opt
    CARGO_TARGET_DIR="$target" RUSTFLAGS="$3" cargo build --profile "$2" --locked -p clip-lung-web \
        --no-default-features --features "$1" --target wasm32-unknown-unknown
    local built="$target/wasm32-unknown-unknown/$2/clip_lung_web.wasm" out="$target/web/$1"
    local digest; digest=$(sha256sum "$built" | cut -d' ' -f1)
    if [ "$(cat "$out/from" 2>/dev/null || true)" != "$digest" ]; then
        rm -rf "$out"
        wasm-bindgen --target web --remove-name-section --remove-producers-section --out-dir "$out" "$built"
        # features one by one: `--all-features` yields modules that browsers refuse
        node_modules/.bin/wasm-opt "$4" --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
            --enable-mutable-globals --enable-reference-types --enable-multivalue \
            "$out/clip_lung_web_bg.wasm" -o "$out/smaller.wasm"
        mv "$out/smaller.wasm" "$out/clip_lung_web_bg.wasm"
        echo "$digest" > "$out/from"
    fi
}

copy() { # feature, folder
    rm -rf "$2"
    mkdir -p "$2"
    cp "$target/web/$1/"clip_lung_web.js "$target/web/$1/"clip_lung_web.d.ts "$target/web/$1/"clip_lung_web_bg.wasm "$2"
}

# the CPU module for speed; the others for size
module cpu web-cpu "-C target-feature=+simd128" -O3
module scans web-scans "" -Oz
module gpu web-gpu "" -O1
rm -rf dist
copy cpu js/cpu
copy gpu js/gpu
copy scans demo/src/scans
node_modules/.bin/tsc
copy cpu dist/cpu
copy gpu dist/gpu
node sizes.mjs
