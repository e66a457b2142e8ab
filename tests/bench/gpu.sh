#!/usr/bin/env bash
# What docs/benchmarks.md says of training on a GPU, in one call of ten minutes at most: beside PyTorch (eager; compiled, with CUDA graphs
# and bfloat16), first step of a first run, launches, a training scored beside the CPU's, Vulkan on the same card.
#   gpu.sh PATH/TO/bench PATH/TO/clip-lung [cuda|wgpu] [RESULTS, a new folder]
# Both programs are built with that device; with `wgpu` too for Vulkan. python3 has PyTorch, or CLIP_LUNG_PYTHON_ENV names an environment
# that has. Each part writes a file of its own; what no time was left for is said. Small runs: GPU_STEPS, GPU_BATCH, GPU_ROUNDS, GPU_LIMIT,
# GPU_EPOCHS, GPU_METHODS; GPU_SECONDS for another limit, with which the parts' own limits grow.
set -u
[ $# -ge 2 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 2; }
bench=$1 program=$2 device=${3:-cuda} out=${4:-gpu-results}
case $device in cuda | wgpu) ;; *) echo "gpu.sh: the device is cuda or wgpu, not $device" >&2; exit 2 ;; esac
for file in "$bench" "$program"; do
    [ -x "$file" ] || { echo "gpu.sh: no program $file" >&2; exit 2; }
done
here=$(cd "$(dirname "$0")" && pwd)
python=python3
[ -z "${CLIP_LUNG_PYTHON_ENV:-}" ] || python=$CLIP_LUNG_PYTHON_ENV/bin/python
steps=${GPU_STEPS:-50} batch=${GPU_BATCH:-32} rounds=${GPU_ROUNDS:-3} limit=${GPU_LIMIT:-600} epochs=${GPU_EPOCHS:-4}
read -r -a methods <<<"${GPU_METHODS:-ce clip-lung}"
ours=("${methods[@]}" "--batch=$batch") theirs=(--batch "$batch" --method "${methods[@]}")
seconds=${GPU_SECONDS:-590}
end=$((SECONDS + seconds))
export MIMALLOC_PURGE_DELAY=-1
mkdir -p "$out"
# what an earlier call left would pass for what this one measured
[ -z "$(ls -A "$out")" ] || { echo "gpu.sh: $out is not empty; name another folder" >&2; exit 2; }
out=$(cd "$out" && pwd)

# part NAME MOST_SECONDS COMMAND..: its output into NAME.txt and NAME.err, unless the time is up
part() {
    local name=$1 most=$(($2 * seconds / 590)) left=$((end - SECONDS)) begun=$SECONDS
    shift 2
    if [ "$left" -lt 5 ]; then
        echo "$name: no time left"
        return 1
    fi
    [ "$most" -ge 1 ] || most=1
    [ "$most" -le "$left" ] || most=$left
    if timeout "$most" "$@" >"$out/$name.txt" 2>"$out/$name.err"; then
        echo "$name: $((SECONDS - begun)) s"
    else
        echo "$name: ended with $? after $((SECONDS - begun)) s; $(tail -n 1 "$out/$name.err")"
    fi
}

torch=cpu
[ "$device" = wgpu ] || torch=cuda
part card 20 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
# nothing kept: the first steps of a first run, which the benchmark says on stderr, by kernels that are not timed, as a fresh machine has them
part first 60 env XDG_CACHE_HOME="$out/first-cache" "$bench" "$device" 1 --untimed "${ours[@]}"
part untimed 30 env XDG_CACHE_HOME="$out/first-cache" "$bench" "$device" "$steps" --untimed "${ours[@]}"
# from here on kernels are timed and kept
if [ "$device" = wgpu ]; then
    part warm 120 "$bench" wgpu 1 "${ours[@]}"
else
    part warm 260 "$program" doctor --warm --device "$device" --out "$out/kernels/card.sqlite"
    # it times the kernels of batches of 32
    [ "$batch" = 32 ] || part sizes 60 "$bench" "$device" 1 "${ours[@]}"
fi
part launches 60 "$bench" "$device" --kernels "${ours[@]}"
for round in $(seq "$rounds"); do
    part "ours-$round" 40 "$bench" "$device" "$steps" "${ours[@]}"
    part "eager-$round" 40 "$python" "$here/pytorch.py" --device "$torch" --steps "$steps" "${theirs[@]}"
done
# text towers in bf16
part bf16 60 "$bench" "$device" "$steps" --bf16 "${ours[@]}"
part compiled 120 "$python" "$here/pytorch.py" --device "$torch" --steps "$steps" --compile "${theirs[@]}"
# a training of one fold on both, scored on the nodules held out
part data 30 "$program" phantom --limit "$limit" --out "$out/data"
for on in "$device" cpu; do
    part "training-$on" 90 "$program" train --data "$out/data" --out "$out/run-$on" --method ce --epochs "$epochs" --lr 0.02 --ema 0.9 \
        --ema-bn recompute --device "$on" --json
done
# a run on a fresh machine that has the bundle
[ "$device" = wgpu ] || part bundled 60 env XDG_CACHE_HOME="$out/bundled-cache" CLIP_LUNG_KERNELS="$out/kernels" "$program" train \
    --data "$out/data" --out "$out/run-bundled" --method ce --epochs 1 --device "$device" --json
[ "$device" = wgpu ] || part vulkan 60 "$bench" wgpu 10 "${ours[@]}"

"$python" - "$out" "$device" "$rounds" "${methods[@]}" <<'PY'
import json, statistics, sys
from pathlib import Path

out, device, rounds, methods = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]


def read(name):
    try:
        return json.loads((out / f"{name}.txt").read_text().strip().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return {}


ours = [read(f"ours-{r + 1}") for r in range(rounds)]
eager = [read(f"eager-{r + 1}") for r in range(rounds)]
compiled = read("compiled")
others = [("bf16", "text towers in bf16"), ("untimed", "kernels that are not timed")]
median = lambda runs, key: statistics.median(values) if (values := [r[key] for r in runs if key in r]) else None
say = lambda value, digits: "-" if value is None else format(value, f".{digits}f")
print("\n| | clip-lung (s) | PyTorch, eager (s) | ratio | PyTorch, compiled (s) | ratio |\n|---|---|---|---|---|---|")
for method in methods:
    for kind in ("step", "pace", "replayed"):
        key = f"{method.replace('-', '_')}_{kind}"
        # PyTorch has a graph where it is compiled; eager, a replayed step stands beside its steps one after another
        theirs = key.replace("replayed", "pace")
        a, b, c = median(ours, key), median(eager, theirs), compiled.get(theirs)
        pairs = [x[key] / y[theirs] for x, y in zip(ours, eager) if key in x and theirs in y]
        to_eager = statistics.median(pairs) if pairs else None
        print(f"| {method}, {kind} | {say(a, 4)} | {say(b, 4)} | {say(to_eager, 2)} | {say(c, 4)} | {say(a / c if a and c else None, 2)} |")
for name, about in others:
    for key, value in read(name).items():
        if key.endswith(("_step", "_pace")):
            print(f"\n{about}: {key} {value:.4f} s")
for line in (out / "first.err").read_text().splitlines() if (out / "first.err").exists() else []:
    if "first" in line:
        print("\nfirst run:", line)
for on in (device, "cpu"):
    metrics = out / f"run-{on}" / "metrics.json"
    if metrics.exists():
        model = json.loads(metrics.read_text())["model"]
        aucs = [a for a in model["auc_one_vs_rest"] if a is not None]
        print(f"\ntrained on {on}: accuracy {model['accuracy']['value']:.3f}, mean AUC {say(statistics.mean(aucs) if aucs else None, 3)}")
PY
