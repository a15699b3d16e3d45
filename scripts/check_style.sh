#!/usr/bin/env bash
# Holds the C++ files against the configurations of the tree.
#
#   scripts/check_style.sh          clang-format 19: the layout
#   scripts/check_style.sh --tidy   clang-tidy 19 over the library and the program; needs build/asan for the compiler's command lines
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

layout() {
  git ls-files -z '*.cc' '*.h' | xargs -0 -n 40 -P 2 clang-format-19 --dry-run -Werror
  echo "style: the layout is as .clang-format says"
}

tidy() {
  [[ -f build/asan/compile_commands.json ]] || { echo "build/asan is missing; run: cmake --preset asan" >&2; return 4; }
  git ls-files -z 'fastvlm/*.cc' ':!fastvlm/*_test.cc' | xargs -0 -n 1 -P 2 clang-tidy-19 -p build/asan --quiet 2>/dev/null
  echo "style: clang-tidy has nothing to say"
}

case ${1:-} in
  '') layout ;;
  --tidy) tidy ;;
  *) echo 'usage: scripts/check_style.sh [--tidy]' >&2; exit 2 ;;
esac
