#!/usr/bin/env bash
# Times `clip-lung prepare` beside a pylidc + pydicom script that makes the same crops, on 30 series of 512 x 512 (real geometry,
# noise for voxels): prepare.sh PATH/TO/clip-lung. Three rounds of both in turn; needs Python with pylidc, pydicom, scipy.
set -euo pipefail
cd "$(dirname "$0")"
program=$1
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -W ignore archive.py "$work/archive" 30 >/dev/null
"$python" -W ignore archive.py "$work/long" --slices 600 >/dev/null
cat "$work"/archive/*/*/*/*.dcm >/dev/null # from memory: all rounds alike
clock() { # label, command..
    local label=$1 start
    shift
    start=$(date +%s.%N)
    "$@" >/dev/null
    echo "$label $(echo "$(date +%s.%N) - $start" | bc)"
}
for round in 1 2 3; do
    rm -rf "$work/one" "$work/two"
    clock "prepare, 1 job:" "$program" prepare --dicom "$work/archive" --out "$work/one" --jobs 1
    clock "prepare, 2 jobs:" "$program" prepare --dicom "$work/archive" --out "$work/two" --jobs 2
    clock "pylidc:" "$python" -W ignore ../golden/pylidc_crops.py "$work/archive" "$work/crops.npz"
done
echo "peak memory on one series of 600 slices (kB):"
/usr/bin/time -f "prepare: %M" "$program" prepare --dicom "$work/long" --out "$work/three" --jobs 1 >/dev/null
/usr/bin/time -f "prepare --check: %M" "$program" prepare --dicom "$work/long" --check --jobs 1 >/dev/null
