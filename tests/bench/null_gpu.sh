#!/usr/bin/env bash
# Runs a program built with wgpu on a GPU that computes nothing (null_gpu.c over Mesa's software Vulkan; Debian's mesa-vulkan-drivers and
# gcc): what a step asks of a GPU, and the time that the host alone takes for it.
#   null_gpu.sh PATH/TO/bench wgpu --launches [METHOD ..]
#   null_gpu.sh PATH/TO/bench wgpu 50 ce clip-lung
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mesa=${MESA_DRIVER:-$(ls /usr/lib/*/libvulkan_lvp.so | head -n 1)}
cc -O2 -shared -fPIC -DDRIVER="\"$mesa\"" -o "$work/null_gpu.so" "$here/null_gpu.c" -ldl
printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$work/null_gpu.so" >"$work/null_gpu.json"
VK_DRIVER_FILES="$work/null_gpu.json" DISABLE_WGPU_SPIRV=1 XDG_RUNTIME_DIR="$work" "$@"
