#!/usr/bin/env bash
# Builds the program and takes a small checkpoint with random weights the whole way: export, compile for an NPU, verify,
# chat about a photograph on the emulated NPU. Everything made here lies in ./demo-output. Safe to run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly program=build/release/fastvlm-npu
readonly folder=demo-output
readonly photograph=tests/data/images/input/chelsea.png

step() { printf '\n== %s\n' "$*"; }
run() {
  printf '$ %s\n' "$*"
  "$@"
}

step "Build"
scripts/setup.sh
cmake --preset release
cmake --build --preset release --target fastvlm-npu

step "Runtimes: ONNX Runtime and the QNN plug-in, fetched once into the user's cache folder"
run "$program" doctor --fetch

step "A checkpoint with random weights, in Apple's form"
mkdir -p "$folder"
run "$program" make-checkpoint --size tiny --dialect apple --output-dir "$folder/checkpoint" --force

step "Export: ONNX graphs, tables, static graphs and context binaries for Snapdragon 8 Elite"
run "$program" export --model-dir "$folder/checkpoint" --output-dir "$folder/exported" --force \
  --target sm8750 --image-sizes 256 --prefill 64 --context 256

step "Verify on the CPU"
run "$program" verify --output-dir "$folder/exported" --model-dir "$folder/checkpoint"

step "Verify the NPU, emulated, against the CPU"
run "$program" verify --output-dir "$folder/exported" --runner htp --target sm8750

step "What was made"
run "$program" inspect "$folder/exported"

step "Chat about $photograph on the emulated NPU"
printf 'The words are nonsense because the weights are random; the mechanics are right.\n'
run "$program" chat --output-dir "$folder/exported" --image "$photograph" --prompt "What is this?" \
  --max-new-tokens 24 --temperature 0.7 --seed 2 --runner htp --target sm8750

printf '\nDone. The exported folder is %s/exported; README.md says how to use a real checkpoint.\n' "$folder"
