#!/usr/bin/env bash
# The Rust program and PyTorch in turn, three times, on the CPU with two threads or on a GPU; prints medians and their ratios.
#   run.sh PATH/TO/bench [cpu|cuda]      needs python3; makes a virtual environment with PyTorch under ~/.cache/clip-lung, or
#   uses the one that CLIP_LUNG_PYTHON_ENV names
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${CLIP_LUNG_PYTHON_ENV:-$HOME/.cache/clip-lung/python}
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q torch==2.15.0 transformers numpy safetensors
fi
device=${2:-cpu}
steps=7
[ "$device" = cpu ] || steps=50
export RAYON_NUM_THREADS=2 MIMALLOC_PURGE_DELAY=-1
for _ in 1 2 3; do
    "$1" "$device" "$steps"
    "$venv/bin/python" "$here/pytorch.py" --device "$device" --threads 2 --steps "$steps"
    # the methods in a process of their own: a step of each at batch 32
    "$venv/bin/python" "$here/pytorch.py" --device "$device" --threads 2 --steps "$steps" \
        --method poisson nsb udm corf clip cocoop clip-lung-minilm | sed 's/^/more /'
    [ "$device" != cpu ] || RAYON_NUM_THREADS=1 "$1" cpu 1 | sed 's/^/one /'
done | "$venv/bin/python" -c '
import json, statistics, sys
rust, torch, one, more = [], [], [], []
for line in sys.stdin:
    print(line, end="", file=sys.stderr)
    if line.startswith("one "): one.append(json.loads(line[4:]))
    elif line.startswith("more "): more.append(json.loads(line[5:]))
    else: (torch if "torch" in line else rust).append(json.loads(line))
for t, m in zip(torch, more): t.update({k: v for k, v in m.items() if k.endswith("_step")})
for r, o in zip(rust, one): r["infer_1_one_thread"] = o["infer_1"]
print("| | clip-lung (s) | PyTorch (s) | ratio |\n|---|---|---|---|")
methods = ["poisson", "nsb", "udm", "corf", "clip", "cocoop", "clip_lung", "clip_lung_minilm"]
for k in ("ce_step", *(m + "_step" for m in methods), "infer_32", "infer_1", *(["infer_1_one_thread"] if one else [])):
    a, b = [statistics.median(x[k] for x in xs) for xs in (rust, torch)]
    ratio = statistics.median(x[k] / y[k] for x, y in zip(rust, torch))
    print(f"| {k} | {a:.4f} | {b:.4f} | {ratio:.2f} |")
print("\nsteps against ce, and MiniLM against CLIP (medians of the ratio in one run):")
for k, base in [("ce_view", "ce")] + [(m, "ce") for m in methods[:4]] + [("clip_lung_minilm", "clip_lung")]:
    print(f"  {k} / {base}: " + format(statistics.median(r[k + "_step"] / r[base + "_step"] for r in rust), ".3f"))
a, b = [statistics.median(r[k] for r in rust) for k in ("tower_shared", "tower_plain")]
print(f"\ntext tower, forward and back: {a:.3f} s with the shared prefix, {b:.3f} s without ({b / a:.2f})")
'
