#!/usr/bin/env bash
# Builds the program and takes a small trained checkpoint the whole way: export, compile for an NPU, verify, and questions about a
# picture on the emulated NPU, whose answers are checked. Everything made here lies in ./demo-output. Safe to run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly program=build/release/fastvlm-npu
readonly folder=demo-output
readonly checkpoint=tests/data/trained/checkpoint
readonly picture=tests/data/trained/eval/000.png

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

step "The trained checkpoint: what is it?"
run "$program" inspect "$checkpoint"

step "Export: ONNX graphs, tables, static graphs and context binaries for Snapdragon 8 Elite, in half precision and with weights of 8 bits"
mkdir -p "$folder"
run "$program" export --model-dir "$checkpoint" --output-dir "$folder/exported" --force \
  --target sm8750 --image-sizes 256 --prefill 32 --context 256 --recipe fp16,w8

step "Verify on the CPU"
run "$program" verify --output-dir "$folder/exported" --model-dir "$checkpoint"

step "Verify the NPU, emulated, against the CPU"
run "$program" verify --output-dir "$folder/exported" --runner htp --target sm8750

step "What was made"
run "$program" inspect "$folder/exported"

# An answer that is another one ends the demo with an error.
ask() {
  local recipe=$1 question=$2 expected=$3 answer
  printf '$ %s chat --image %s --prompt "%s" --recipe %s --runner htp --target sm8750\n' "$program" "$picture" "$question" "$recipe"
  answer=$("$program" chat --output-dir "$folder/exported" --image "$picture" --prompt "$question" --recipe "$recipe" \
    --max-new-tokens 8 --runner htp --target sm8750)
  printf '%s\n' "$answer"
  [[ $answer == "$expected" ]] || { printf 'expected: %s\n' "$expected"; exit 1; }
}

step "Ask about $picture on the emulated NPU"
for recipe in fp16 w8; do
  ask "$recipe" "What color is the cross?" purple
done

printf '\nDone. The exported folder is %s/exported; README.md says how to use a real checkpoint.\n' "$folder"
