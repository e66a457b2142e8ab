#!/usr/bin/env bash
# What `cargo build --features cuda` needs beyond setup.sh: a static LLVM with the NVPTX target, from two Python wheels (Apache-2.0
# with LLVM exception), where burn's CUDA compiler looks for it. Opt-in: 90 MB to fetch, 400 MB on disk. Running needs only
# NVIDIA's driver and NVRTC.
set -eu

version=23.1.1.post0
place="${XDG_DATA_HOME:-$HOME/.local/share}/tracel/tracel-llvm-23.1.0-4"
./setup.sh
if [ "$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi
for package in python3-venv zlib1g-dev libzstd-dev; do
    dpkg -s "$package" >/dev/null 2>&1 && continue
    $sudo apt-get install -y -qq --no-install-recommends "$package" >/dev/null
    echo "setup-cuda: installed $package"
done
if [ -e "$place/.tracel-llvm-installed" ]; then
    echo "setup-cuda: LLVM is in $place"
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet --no-deps --target "$work/llvm" "mlc-llvm-static==$version" "mlc-llvm-static-extra-targets==$version"
    mkdir -p "$(dirname "$place")"
    rm -rf "$place.new"
    mv "$work/llvm/mlc_llvm_static/static" "$place.new"
    chmod +x "$place.new"/bin/*
    touch "$place.new/.tracel-llvm-installed"
    rm -rf "$place"
    mv "$place.new" "$place"
    echo "setup-cuda: installed LLVM in $place"
fi
