#!/usr/bin/env bash
# `make demo`: the program and a first prediction, then the page; then a training of one's own, and the page's GPU module last. On a
# terminal the page stays open. Every phase says how long it took, and what the processors spent on it, which other programs change less.
set -euo pipefail
cd "$(dirname "$0")"
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}"
program="$target/release/clip-lung"
log="$target/demo"
shipped=models/lidc-a
[ -f "$shipped/config.json" ] || shipped=
[ -t 0 ] && [ -t 1 ] && terminal=yes || terminal=
mkdir -p "$log" demo
rm -f "$log"/*

spent() { # seconds of the processors that this script's commands have had so far
    times > "$log/times"
    spent=$(awk '{ for (i = 1; i <= 2; i++) { split($i, t, /[ms]/); s += 60 * t[1] + t[2] } } END { print int(s + 0.5) }' "$log/times")
}

phase() { # its name, its command
    local start=$SECONDS before
    spent
    before=$spent
    printf '\n== %s\n' "$1"
    "${@:2}"
    spent
    echo "$1|$((SECONDS - start))|$((spent - before))|$SECONDS" >> "$log/phases"
    echo "== $1: $((SECONDS - start)) s, of the processors $((spent - before)) s, $SECONDS s since the start"
}

first_prediction() {
    "$program" phantom --limit 1 --volume --out demo/nodule
    echo "a drawing, not CT: what follows shows that the program runs, not how well it reads scans"
    "$program" predict --model "$shipped" demo/nodule/volume.nii.gz --nodules demo/nodule/volume.csv
}

page() { # cpu, or nothing for every module
    ./setup.sh web
    web/build.sh "$@"
    web/demo/build.sh "$program"
}

serve() { # options of `clip-lung serve`
    if [ -n "$server" ]; then kill "$server"; wait "$server" 2>/dev/null || true; fi
    "$program" serve "$@" > "$log/serve" &
    server=$!
    until grep -q http "$log/serve"; do
        kill -0 "$server" || return 1
        sleep 0.2
    done
    cat "$log/serve"
}

gpu_module() {
    if nice -n 10 web/build.sh > "$log/gpu" 2>&1 && web/demo/build.sh "$program" >> "$log/gpu" 2>&1; then
        echo "the page has its GPU module: load it again"
    else
        echo "the page's GPU module could not be built; the CPU computes ($log/gpu says why)"
    fi
}

server=
later=
trap 'kill ${server:+"$server"} ${later:+-- "-$later"} 2>/dev/null || true' EXIT
phase tools ./setup.sh
phase "the program" "${MAKE:-make}" --no-print-directory build
if [ -n "$shipped" ]; then
    phase "a first prediction" first_prediction
else
    echo "no model ships with this checkout (models/lidc-a): the first prediction is that of the model trained below"
fi
phase "the page, for the CPU" page cpu
[ -z "$shipped" ] || phase "the page is open" serve --port 0 --model "$shipped" ${terminal:+--open}
phase "a training, and what follows" "$program" demo --out demo < /dev/null

models=(${shipped:+--model "$shipped"} --model demo/model)
if [ -n "$terminal" ]; then
    # where the page was before, for the tab that is open; with both models
    port=$(sed -n 's|^http://.*:\([0-9]*\)/.*|\1|p' "$log/serve" 2>/dev/null || true)
    serve --port "${port:-0}" "${models[@]}"
    echo "the page's GPU module is being built now, in the background; Ctrl-C ends both"
    # a process group of its own, which ends with this script
    set -m
    gpu_module &
    later=$!
    set +m
    wait "$server"
else
    phase "the page's GPU module" gpu_module
    echo "$program serve ${models[*]}   opens the page"
fi
