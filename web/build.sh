#!/usr/bin/env bash
# The package's dist/: two WebAssembly modules of one facade (CPU with SIMD, WebGPU) and the compiled TypeScript; and, beside it, the
# module that reads scans for the demo page. `make web` runs it after `make setup-web`. `build.sh cpu` leaves the GPU module for later: one
# that was built before stands in for it, or one that says so.
set -euo pipefail
cd "$(dirname "$0")"
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}"
export PATH="$target/tools/node/node_modules/.bin:$target/tools/bin:$PATH:$HOME/.cargo/bin"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund

compile() { # cargo profile, flags of rustc, what to build
    CARGO_TARGET_DIR="$target" RUSTFLAGS="$2" cargo build --profile "$1" --locked --target wasm32-unknown-unknown "${@:3}"
}

bind() { # name, crate, cargo profile, level of wasm-opt
    local built="$target/wasm32-unknown-unknown/$3/clip_lung_$2.wasm" out="$target/web/$1"
    local digest; digest=$(sha256sum "$built" | cut -d' ' -f1)
    [ "$(cat "$out/from" 2>/dev/null || true)" != "$digest" ] || return 0
    rm -rf "$out"
    wasm-bindgen --target web --remove-name-section --remove-producers-section --out-dir "$out" "$built"
    # features one by one: `--all-features` yields modules that browsers refuse
    node_modules/.bin/wasm-opt "$4" --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int --enable-sign-ext \
        --enable-mutable-globals --enable-reference-types --enable-multivalue \
        "$out/clip_lung_$2_bg.wasm" -o "$out/smaller.wasm"
    mv "$out/smaller.wasm" "$out/clip_lung_$2_bg.wasm"
    echo "$digest" > "$out/from"
}

copy() { # name, crate, folder
    rm -rf "$3"
    mkdir -p "$3"
    cp "$target/web/$1/clip_lung_$2"{.js,.d.ts,_bg.wasm} "$3"
}

copy_gpu() { # folder
    if [ -f "$target/web/gpu/from" ]; then copy gpu web "$1"; return; fi
    # the facade's types, and a module of nothing
    copy cpu web "$1"
    cp no-gpu.js "$1/clip_lung_web.js"
    printf '\0asm\1\0\0\0' > "$1/clip_lung_web_bg.wasm"
}

# the CPU module is built for speed, the others for size
build_cpu() {
    compile web-cpu "-C target-feature=+simd128" -p clip-lung-web -p clip-lung-scans
    bind cpu web web-cpu -O3 &
    bind scans scans web-cpu -Oz
    wait "$!"
}

if [ "${1:-}" = cpu ]; then
    build_cpu
else
    # both at once: link-time optimisation and wasm-opt keep one core busy. The first is a process group of its own, which ends with
    # this script
    set -m
    build_cpu &
    cpu=$!
    set +m
    trap 'kill -- -"$cpu" 2>/dev/null || true' EXIT
    compile web-gpu "" -p clip-lung-web --no-default-features --features gpu
    bind gpu web web-gpu -O1
    wait "$cpu"
    trap - EXIT
fi
rm -rf dist
copy cpu web js/cpu
copy_gpu js/gpu
copy scans scans demo/src/scans
node_modules/.bin/tsc
copy cpu web dist/cpu
copy_gpu dist/gpu
node sizes.mjs
