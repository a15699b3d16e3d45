#!/usr/bin/env bash
# Opens what export --layout genie writes with Qualcomm's Genie, whose library comes with the QNN plug-in, on the emulated NPU. Text
# and picture questions must give the ids of `chat --runner cpu`, the float reference, all twelve.
#   scripts/check_genie.sh [fastvlm-npu]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build/release/fastvlm-npu}")
question="What is this?"
picture=tests/data/trained/eval/000.png

"$program" doctor --fetch > /dev/null
libraries=$(dirname "$("$program" doctor --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["runtimes"][1]["path"])')")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${CXX:-g++}" -std=c++20 -O1 -Wall -Wextra -Werror tests/genie/genie_client.cc -o "$work/client" -ldl

# asked FOLDER WORD…: what Genie says, asked from inside the folder.
asked() {
  local folder=$1
  shift
  if ! (cd "$folder/genie" && LD_LIBRARY_PATH=$libraries timeout 300 "$work/client" "$libraries/libGenie.so" "$@") > "$work/out" 2> "$work/err"; then
    cat "$work/out" "$work/err" >&2
    return 1
  fi
  cat "$work/out"
}
first_ids() { grep '^id ' | head -n 12 | cut -d ' ' -f 2 | paste -sd ' '; }
chat() { "$program" chat --output-dir "$1" --runner cpu --prompt "$question" --max-new-tokens 12 --json "${@:2}"; }
ids_of() { python3 -c 'import json, sys; print(*json.load(sys.stdin)["ids"])'; }

# same WHAT GOT WANTED
same() {
  if [[ $2 != "$3" ]]; then
    echo "$1: Genie gives $2, chat $3"
    exit 1
  fi
  echo "$1: Genie and chat give $3"
}

for checkpoint in apple-tied hf-unfused; do
  model=tests/data/golden/$checkpoint/checkpoint
  common=(--model-dir "$model" --image-size 256 --target sm8750 --prefill 32 --context 128 --quiet)
  "$program" export "${common[@]}" --output-dir "$work/$checkpoint" --layout genie --unshared > /dev/null
  "$program" export "${common[@]}" --output-dir "$work/$checkpoint-own" --no-compile > /dev/null
  "$program" preprocess --model-dir "$model" --image-size 256 --image "$picture" --output "$work/pixels.bin" > /dev/null
  wanted=$(chat "$work/$checkpoint-own" --image "$picture" | ids_of)
  same "$checkpoint, picture" "$(asked "$work/$checkpoint" picture "$work/pixels.bin" "$question" | first_ids)" "$wanted"
  wanted=$(chat "$work/$checkpoint-own" | ids_of)
  prompt=$(printf '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\nx' "$question")
  printf '%s' "${prompt%x}" > "$work/prompt"
  # shellcheck disable=SC2046  # ids are words
  same "$checkpoint, text" "$(asked "$work/$checkpoint" ids $("$program" tokenize --model-dir "$model" < "$work/prompt") | first_ids)" "$wanted"
  asked "$work/$checkpoint" text "$work/prompt" | grep -aq '^text .' || { echo "$checkpoint: Genie gives no text"; exit 1; }
done
