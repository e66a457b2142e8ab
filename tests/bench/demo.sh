#!/usr/bin/env bash
# `make demo` from nothing: a fresh clone of what is committed, an empty target directory, no crates, no npm packages; prints the time of each
# phase as docs/benchmarks.md has it.
#   demo.sh [DIR]      where to work (default: a temporary directory, which is deleted afterwards); takes 3 GB
set -euo pipefail
repository=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
work=${1:-$(mktemp -d)}
[ $# = 1 ] || trap 'rm -rf "$work"' EXIT
[ ! -e "$work/target" ] && [ ! -e "$work/clone" ] || { echo "demo.sh: $work is not empty" >&2; exit 1; }
mkdir -p "$work"
git clone --quiet "$repository" "$work/clone"
load=$(cut -d' ' -f1-3 /proc/loadavg)
CARGO_TARGET_DIR="$work/target" CARGO_HOME="$work/cargo" npm_config_cache="$work/npm" PATH="$PATH:$HOME/.cargo/bin" \
    make -C "$work/clone" demo < /dev/null
printf '\n%s, %s cores of %s, load before %s and after %s\n\n' "$(git -C "$work/clone" rev-parse --short HEAD)" "$(nproc)" \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$load" "$(cut -d' ' -f1-3 /proc/loadavg)"
awk -F'|' 'function clock(s) { return int(s / 60) " min " s % 60 " s" }
    BEGIN { print "| phase | time | processors | since the start |\n|---|---|---|---|" }
    { print "| " $1 " | " clock($2) " | " clock($3) " | " clock($4) " |" }' "$work/target/demo/phases"
