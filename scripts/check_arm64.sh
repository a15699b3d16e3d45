#!/usr/bin/env bash
# The program for arm64, cross-built and run by an emulator of the processor (qemu-user): what it writes must be, byte by byte,
# what the program for x86-64 writes. No NPU is emulated on arm64, so nothing is compiled or run for one here.
#   scripts/check_arm64.sh [fastvlm-npu of x86-64]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
here=$(realpath "${1:-build/release/fastvlm-npu}")
readonly build=build/arm64
readonly sysroot=$PWD/build/deps/arm64
# Those that need no NPU and whose floor has something that could differ between processors.
readonly tests=(base_test tensor_test text_test image_test graph_test onnx_test)

fail() {
  printf 'arm64: %s\n' "$*" >&2
  exit 1
}

build_it() {
  scripts/setup.sh --arm64
  # One optimisation level below the release and headers parsed once: this build is to be tried, not to be fast. GCC 12 sees strings longer
  # than memory at this level; x86-64 is where warnings are errors.
  cmake --preset arm64 -DFASTVLM_PRECOMPILED=ON -DFASTVLM_WERROR=OFF -DCMAKE_CXX_FLAGS_RELEASE=-O1 >/dev/null
  CCACHE_SLOPPINESS=pch_defines,time_macros cmake --build --preset arm64 --target fastvlm-npu "${tests[@]}"
}

# The machine below knows neither how to start a program for arm64 nor what such a processor tells about itself.
prepare_emulator() {
  aarch64-linux-gnu-gcc --sysroot="$sysroot" -O1 -Wall -Wextra -Werror -shared -fPIC -o $build/emulated_children.so scripts/emulated_children.c
  mkdir -p "$sysroot/proc"
  printf '%s\n' 'processor : 0' 'Features : fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm asimddp' \
    'CPU implementer : 0x41' 'CPU architecture: 8' 'CPU variant : 0x1' 'CPU part : 0xd0c' 'CPU revision : 1' '' >"$sysroot/proc/cpuinfo"
}

# on_arm64 PROGRAM ARGUMENT…; the processor has every extension that the emulator knows.
on_arm64() {
  local emulator
  emulator=$(command -v qemu-aarch64-static)
  QEMU_CPU=max QEMU_LD_PREFIX=$sysroot ARM64_EMULATOR=$emulator QEMU_SET_ENV=LD_PRELOAD=$PWD/$build/emulated_children.so \
    "$emulator" "$@"
}
there() { on_arm64 "$PWD/$build/fastvlm-npu" "$@"; }

# same NAME ARGUMENT…: both programs write a folder; the first file that differs is named.
same() {
  local name=$1
  shift
  "$here" "$@" --output-dir "$work/here/$name" --quiet >"$work/log" 2>&1 || fail "$name on x86-64: $(<"$work/log")"
  there "$@" --output-dir "$work/there/$name" --quiet >"$work/log" 2>&1 || fail "$name on arm64: $(<"$work/log")"
  diff -rq "$work/here/$name" "$work/there/$name" || fail "$name: the bytes differ"
  echo "arm64: $name: $(find "$work/here/$name" -type f | wc -l) files, the same bytes"
}

exports() {
  local dialect dtype
  mkdir -p "$work/here" "$work/there"
  for dialect in apple hf; do
    same "$dialect-checkpoint" make-checkpoint --size tiny --dialect $dialect
    for dtype in float32 float16; do
      same "$dialect-$dtype" export --model-dir "$work/here/$dialect-checkpoint" --dtype $dtype --target sm8750 --no-compile
    done
  done
}

tests_pass() {
  local test
  for test in "${tests[@]}"; do
    on_arm64 "$PWD/$build/$test" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; fail "$test"; }
    echo "arm64: $test: $(tail -n 1 "$work/log")"
  done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build_it
prepare_emulator
exports
tests_pass
