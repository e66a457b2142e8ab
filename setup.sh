#!/usr/bin/env bash
# Installs what a fresh Debian machine lacks, and says what it did. Nothing is done twice.
set -eu

need() { # command, package
    command -v "$1" >/dev/null 2>&1 && return
    if [ "$(id -u)" = 0 ]; then sudo=; elif command -v sudo >/dev/null; then sudo=sudo; else
        echo "setup: $1 is missing and this user can't install it; run as root: apt-get install $2" >&2
        exit 1
    fi
    [ -n "${updated:-}" ] || { $sudo apt-get update -qq; updated=1; }
    $sudo apt-get install -y -qq --no-install-recommends "$2" >/dev/null || return 1
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
