#!/usr/bin/env bash
# The browser package and ONNX Runtime Web with the same network, in turn, in the same headless Chromium; medians and their ratios.
#   web.sh PATH/TO/clip-lung [ROUNDS [DEVICES]]    after `make page`; needs python3, and makes a virtual environment with PyTorch and ONNX
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program="$1"
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}"
export PATH="$target/tools/node/node_modules/.bin:$PATH"
venv=${CLIP_LUNG_PYTHON_ENV:-$HOME/.cache/clip-lung/python}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c "import torch, onnx, onnxscript, safetensors" 2>/dev/null || "$venv/bin/pip" install -q torch==2.15.0 onnx onnxscript numpy safetensors
ort="$target/tools/onnxruntime-web"
[ -d "$ort/node_modules/onnxruntime-web" ] || npm install --prefix "$ort" --no-audit --no-fund --loglevel=error onnxruntime-web@1.30.0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" phantom --limit 64 --out "$work/set" >/dev/null
"$program" train --data "$work/set" --out "$work/run" --text-encoder random --epochs 1 --lr 0.02 --ema 0.5 >/dev/null 2>&1
"$program" export "$work/run" --out "$work/model" --dtype f16 >/dev/null
mkdir "$work/bench"
cp "$ort/node_modules/onnxruntime-web/dist/"ort.{wasm,webgpu}.min.mjs "$ort/node_modules/onnxruntime-web/dist/"ort-wasm-simd-threaded*.{mjs,wasm} "$work/bench"
"$venv/bin/python" "$here/onnx_model.py" "$work/model" "$work/bench/model.onnx" >/dev/null 2>&1
node "$here/web.mjs" "$work" "${2:-30}" "${3:-wasm,webgpu}"
