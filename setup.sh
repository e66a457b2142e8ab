#!/usr/bin/env bash
# Installs what a fresh Debian machine lacks, and says what it did. Nothing is done twice. `setup.sh web` adds what the browser
# package and the demo page need, `setup.sh browser` also the browser of their tests.
set -eu
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}"

root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        echo "setup: this user can't install packages; run as root: $*" >&2
        exit 1
    fi
}

need() { # command, package
    command -v "$1" >/dev/null 2>&1 && return
    [ -n "${updated:-}" ] || { root apt-get update -qq; updated=1; }
    root apt-get install -y -qq --no-install-recommends "$2" >/dev/null || return 1
    echo "setup: installed $2"
}

need cc gcc
need c++ g++
need make make
need git git
if ! command -v cargo >/dev/null 2>&1 && [ ! -x "$HOME/.cargo/bin/cargo" ]; then
    need rustup rustup || { echo "setup: this system has no package rustup; install Rust 1.95 or newer, then run again" >&2; exit 1; }
    rustup default stable
    echo "setup: installed the stable Rust toolchain"
fi
case "${1:-}" in
    web) ;;
    browser) need chromium chromium ;;
    *) exit 0 ;;
esac

export PATH="$target/tools/node/node_modules/.bin:$PATH:$HOME/.cargo/bin"
need node nodejs
need npm npm
# what vite asks for; the system's own may be older
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
    npm install --prefix "$target/tools/node" --no-audit --no-fund --loglevel=error node@22
    echo "setup: installed Node 22 in $target/tools"
fi
if ! rustup target list --installed | grep -qx wasm32-unknown-unknown; then
    rustup target add wasm32-unknown-unknown
    echo "setup: installed Rust's wasm32 target"
fi
version=$(sed -n 's/^wasm-bindgen = "=\(.*\)"/\1/p' "$(dirname "$0")/Cargo.toml")
if [ "$("$target/tools/bin/wasm-bindgen" --version 2>/dev/null || true)" != "wasm-bindgen $version" ]; then
    CARGO_TARGET_DIR="$target/tools/target" cargo install --quiet wasm-bindgen-cli --version "$version" --root "$target/tools"
    echo "setup: installed wasm-bindgen $version in $target/tools"
fi
