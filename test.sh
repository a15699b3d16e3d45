#!/usr/bin/env bash
# Builds the release preset and runs all tests. The first run needs apt and pip access.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

scripts/setup.sh
cmake --preset release
cmake --build --preset release

# The tests run graphs on ONNX Runtime and on the emulated NPU; both are fetched once into the user's cache folder.
build/release/fastvlm-npu doctor --fetch

python3 scripts/check_floors.py
ctest --test-dir build/release --output-on-failure -j2
