#!/usr/bin/env sh
# Repeats models/lidc-a: five folds of its recipe, which say how good it is, then the model on all nodules with its card.
# models/train.sh DATA OUT [SCANS]; DATA is a data set with crops of 2 x 1 diameters and a margin in the plane, SCANS one that was cut from
# whole scans with a margin on every side, of patients whom DATA lacks: its nodules are disturbed further. Running it again continues.
set -eu
data=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)
clip_lung=${CLIP_LUNG:-clip-lung}
recipe="--diameter --augment jitter --epochs 10 --lr 0.01 --ema 0.98 --ema-bn recompute"

mkdir -p "$out"
# shellcheck disable=SC2086 # the recipe is words
"$clip_lung" sweep plan "$out/folds" --data "$data" --methods ce --tasks lidc-a $recipe
"$clip_lung" sweep run "$out/folds"
if [ ! -d "$out/all/model" ]; then
    # shellcheck disable=SC2086
    "$clip_lung" train --data "$data" --out "$out/all" --method ce --task lidc-a --fold all $recipe
fi
for fold in 0 1 2 3 4; do
    cell="$out/folds/cells/ce.lidc-a.f$fold.s2"
    "$clip_lung" evaluate "$cell" --data "$data" --robustness --json >"$out/robustness.$fold.json"
done
if [ $# -gt 2 ]; then
    "$clip_lung" evaluate "$out/all/model" --data "$3" --robustness --json >"$out/robustness.scans.json"
fi
"$clip_lung" export "$out/all" --out "$out/lidc-a" --dtype f16 --study "$out/folds" --guard "$data" \
    --robustness "$out"/robustness.*.json --notes "$here/notes.md"
