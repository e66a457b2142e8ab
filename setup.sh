#!/usr/bin/env bash
# Installs what a fresh Debian machine lacks, and says what it did. Nothing is done twice. `setup.sh web` adds what the browser
# package and the demo page need, `setup.sh browser` also the browser of their tests, `setup.sh dist` what `make dist` needs, `setup.sh lint`
# what `make lint` needs, `setup.sh slurm` the scheduler that the test `cluster` starts.
set -eu
cd "$(dirname "$0")"
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
fi
export PATH="$PATH:$HOME/.cargo/bin"
channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
if command -v rustup >/dev/null 2>&1 && ! rustup toolchain list | grep -q "^$channel"; then
    rustup toolchain install "$channel" --profile minimal --component rustfmt --component clippy
    echo "setup: installed Rust $channel"
fi
case "${1:-}" in
    lint)
        version=0.20.2
        if [ "$("$target/tools/bin/cargo-deny" --version 2>/dev/null || true)" != "cargo-deny $version" ]; then
            CARGO_TARGET_DIR="$target/tools/target" cargo install --quiet --locked cargo-deny --version "$version" --root "$target/tools"
            echo "setup: installed cargo-deny $version in $target/tools"
        fi
        exit 0 ;;
    slurm)
        PATH="$PATH:/usr/sbin"
        need slurmctld slurm-wlm
        need munged munge
        exit 0 ;;
    web) ;;
    browser) need chromium chromium ;;
    dist)
        need python3 python3
        python3 -c 'import ensurepip, venv' 2>/dev/null || need ensurepip python3-venv
        version=$(sed -n 's/^requires = \["maturin==\(.*\)"\]/\1/p' pyproject.toml)
        if [ "$("$target/tools/python/bin/maturin" --version 2>/dev/null || true)" != "maturin $version" ]; then
            python3 -m venv "$target/tools/python"
            "$target/tools/python/bin/python" -m pip install --quiet --disable-pip-version-check "maturin==$version"
            echo "setup: installed maturin $version in $target/tools"
        fi ;;
    *) exit 0 ;;
esac

export PATH="$target/tools/node/node_modules/.bin:$PATH"
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
version=$(sed -n 's/^wasm-bindgen = "=\(.*\)"/\1/p' Cargo.toml)
if [ "$("$target/tools/bin/wasm-bindgen" --version 2>/dev/null || true)" != "wasm-bindgen $version" ]; then
    # it works for seconds: optimising it takes longer than it gains
    CARGO_TARGET_DIR="$target/tools/target" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install --quiet wasm-bindgen-cli --version "$version" --bin wasm-bindgen --root "$target/tools"
    echo "setup: installed wasm-bindgen $version in $target/tools"
fi
