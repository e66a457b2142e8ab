#!/usr/bin/env bash
# Runs a program built with wgpu on a GPU that computes nothing (null_gpu.cc over Mesa's software Vulkan; Debian's mesa-vulkan-drivers and
# g++, libvulkan-dev): what a step asks of a GPU, and the time that the host takes for it.
#   null_gpu.sh PATH/TO/bench wgpu --launches [METHOD ..]
#   null_gpu.sh PATH/TO/bench wgpu 50 ce clip-lung
# MESA_DRIVER names another libvulkan_lvp.so.
set -eu
[ $# -ge 1 ] || { sed -n '4s/^# *//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mesa=${MESA_DRIVER:-/usr/lib/$(g++ -print-multiarch)/libvulkan_lvp.so}
[ -f "$mesa" ] || { echo "null_gpu.sh: no $mesa; install mesa-vulkan-drivers, or name the driver in MESA_DRIVER" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
g++ -std=c++17 -O2 -Wall -Wextra -shared -fPIC -DVK_NO_PROTOTYPES -DDRIVER="\"$mesa\"" -o "$work/null_gpu.so" "$here/null_gpu.cc" -ldl
printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "%s", "api_version": "1.3.0"}}\n' "$work/null_gpu.so" >"$work/null_gpu.json"
case " $* " in *" --launches "*) export NULL_GPU_BYTES="$work/bytes" ;; esac
# times of kernels that compute nothing are no times to keep
CUBECL_AUTOTUNE_CACHE=0 VK_DRIVER_FILES="$work/null_gpu.json" XDG_RUNTIME_DIR="$work" "$@"
