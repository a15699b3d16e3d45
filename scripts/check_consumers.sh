#!/usr/bin/env bash
# The library as others use it, from a folder outside the tree: installed and found, as a subfolder without tests, and as a
# shared library. Each is built and run. Needs build/release; with ccache nothing is compiled twice.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The flags of build/release, so that the compiler cache knows every file.
werror=$(sed -n 's/^FASTVLM_WERROR:BOOL=//p' "$root/build/release/CMakeCache.txt")
flags=(-G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O2 -DONNXRUNTIME_ROOT="$root/build/deps/onnxruntime"
  -DFASTVLM_WERROR="$werror")
if ccache=$(command -v ccache); then flags+=(-DCMAKE_CXX_COMPILER_LAUNCHER="$ccache"); fi

quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log"; return 1; }; }

# consumer NAME CMAKE-ARGUMENT…
consumer() {
  local name=$1
  shift
  cp -r "$root/tests/consumer" "$work/$name-source"
  quietly cmake -S "$work/$name-source" -B "$work/$name" "${flags[@]}" "$@"
  quietly cmake --build "$work/$name" --target consumer
  [[ -z $(find "$work/$name" -name '*_test' -type f) ]]
  quietly "$work/$name/consumer" "$root/tests/data/golden/apple-tied/checkpoint" "$work/$name-output" "$picture"
  echo "consumer: $name passed"
}

picture=$root/tests/data/trained/eval/000.png

quietly cmake --install "$root/build/release" --prefix "$work/installed"
[[ -x $work/installed/bin/fastvlm-npu ]]
# Nothing is installed that the public headers do not include.
(cd "$work/installed/include" && for header in $(find fastvlm -name '*.h'); do
  sed -n 's/^#include "\(fastvlm[^"]*\)"$/\1/p' "$header"
done | sort -u | while read -r header; do [[ -f $header ]] || { echo "$header is included but not installed"; exit 1; }; done)
lines=$(echo '#include "fastvlm/api/export.h"' | "${CXX:-g++}" -std=c++20 -I "$work/installed/include" -E -x c++ - | wc -l)
echo "consumer: fastvlm/api/export.h preprocesses to $lines lines"
[[ $lines -lt 60000 ]]

consumer package -DCMAKE_PREFIX_PATH="$work/installed"
consumer subfolder -DFASTVLM_SOURCE="$root" -DFASTVLM_PROGRAM=OFF

quietly cmake -S "$root" -B "$work/shared-build" "${flags[@]}" -DBUILD_SHARED_LIBS=ON -DFASTVLM_TESTS=OFF -DFASTVLM_PROGRAM=OFF
quietly cmake --build "$work/shared-build" --target fastvlm
quietly cmake --install "$work/shared-build" --prefix "$work/installed-shared"
consumer shared -DCMAKE_PREFIX_PATH="$work/installed-shared"
