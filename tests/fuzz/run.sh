#!/usr/bin/env bash
# Fuzzes each target for FUZZ_SECONDS (60), one a core, with the coverage feedback of libFuzzer on the stable compiler. Fails on a
# crash, on an input that takes over 5 s, or on more than 512 MB. Seeds are tests/hostile, tests/golden/codecs and seeds/TARGET; what is
# found stays in the target folder.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${FUZZ_SECONDS:-60}
export PATH="$PATH:$HOME/.cargo/bin"
target="${CARGO_TARGET_DIR:-$HOME/.cache/clip-lung/target}/fuzz"
host=$(rustc -vV | sed -n 's/^host: //p')
# only with --target do these flags leave build scripts and macros alone
CARGO_TARGET_DIR="$target" RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Ccodegen-units=1" \
    cargo build --release --locked --target "$host"

# What one target finds in its time.
fuzz() {
    local name=$1 kinds found corpus="$target/corpus/$1"
    case $name in dicom) kinds="dcm" ;; xml) kinds="xml" ;; nifti) kinds="nii gz" ;; *) kinds="" ;; esac
    mkdir -p "$corpus" "$target/found"
    for kind in $kinds; do
        find ../hostile ../golden/codecs -name "*.$kind" -size -64k | while read -r file; do
            cp "$file" "$corpus/$(echo "$file" | tr '/' '_')"
        done
    done
    if [ -d "seeds/$name" ]; then cp "seeds/$name"/* "$corpus/"; fi
    "$target/$host/release/$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=512 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="$target/found/$name-" "$corpus" 2>"$target/$name.log" || { tail -40 "$target/$name.log" >&2; return 1; }
    found=$(grep -E "number_of_executed_units|peak_rss_mb|slowest_unit" "$target/$name.log")
    printf 'fuzz %s: %s s\n%s\n' "$name" "$seconds" "$found"
}
export -f fuzz
export target host seconds
# each keeps one core busy; xargs fails where one of them does
printf '%s\n' dicom xml nifti image list npy model_config safetensors | xargs -P "$(nproc)" -I{} bash -c 'set -euo pipefail; fuzz {}'
