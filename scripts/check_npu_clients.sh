#!/usr/bin/env bash
# Opens what export --layout genie,npu and bundle --runtime genie write, on the emulated NPU: with Qualcomm's Genie, whose library comes
# with the QNN plug-in, through the client that lies in the folder, and with the two of npu/. All must give the ids of
# `chat --runner cpu`, the float reference, the first twelve or as many as there are.
#   scripts/check_npu_clients.sh [fastvlm-npu]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build/release/fastvlm-npu}")
headers=$(realpath "${ONNXRUNTIME_ROOT:-build/deps/onnxruntime}/include")
picture=$(realpath tests/data/trained/eval/000.png)
packages=$PWD/build/clients/python-npu

"$program" doctor --fetch > /dev/null
runtime() { "$program" doctor --json | python3 -c "import json, sys; print(json.load(sys.stdin)['runtimes'][$1]['path'])"; }
onnxruntime=$(runtime 0) plugin=$(runtime 1)
libraries=$(dirname "$plugin")
if [[ ! -d $packages/onnxruntime_qnn ]]; then
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target "$packages" \
    onnxruntime==1.29.0 onnxruntime-qnn==2.7.0 numpy==2.4.6 pillow==13.0.0 tokenizers==0.23.3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$onnxruntime" "$work/libonnxruntime.so.1"

# asked FOLDER WORD…: what the program says inside the folder.
asked() {
  local folder=$1
  shift
  if ! (cd "$folder" && LD_LIBRARY_PATH=$libraries:$work timeout 300 "$@") > "$work/out" 2> "$work/err"; then
    cat "$work/out" "$work/err" >&2
    return 1
  fi
}
genie() {
  asked "$1/genie" "$work/genie" --ids --tokens 12 "$libraries/libGenie.so" "${@:2}"
  grep -a '^id ' "$work/out" | sed -n 1,12p | cut -d ' ' -f 2 | paste -sd ' '
}
npu_cpp() {
  asked "$1/npu" "$work/npu" "$plugin" "$libraries/libQnnHtp.so" "${@:2}"
  grep -aE '^[0-9]+$' "$work/out" | sed -n 1,12p | paste -sd ' '
}
npu_python() {
  PYTHONPATH=$packages asked "$1/npu" python3 client.py "${@:2}"
  grep -aE '^[0-9 ]+$' "$work/err" | tail -n 1 | cut -d ' ' -f 1-12
}
chat() {
  "$program" chat --output-dir "$1" --recipe "$2" --runner cpu --max-new-tokens 12 --json "${@:3}" | python3 -c 'import json, sys; print(*json.load(sys.stdin)["ids"])'
}

# same WHO GOT WANTED
same() {
  if [[ -z $3 || $2 != "$3" ]]; then
    echo "$1 gives $2, chat $3"
    exit 1
  fi
  echo "$1 and chat give $3"
}

# refused WORDS FOLDER PROGRAM WORD…: it ends with 1 and one sentence that says WORDS.
refused() {
  local words=$1 code=0
  (cd "$2" && LD_LIBRARY_PATH=$libraries:$work PYTHONPATH=$packages timeout 300 "${@:3}") > "$work/out" 2> "$work/err" || code=$?
  if [[ $code != 1 ]] || ! grep -q "$words" "$work/err"; then
    echo "${*:3} ends with $code and does not say: $words" >&2
    cat "$work/err" >&2
    exit 1
  fi
}

# wrong_words OUT: what the clients in it say about words that make no answer.
wrong_words() {
  local cpp=("$work/npu" "$plugin" "$libraries/libQnnHtp.so") long
  head -c 1000 "$work/pixels.bin" > "$work/short.bin"
  long=$(seq -s ' ' 1 200)
  refused 'is no id of the table' "$1/npu" "${cpp[@]}" "$work/pixels.bin" 1 999999
  # shellcheck disable=SC2086  # ids are words
  refused 'does not fit into a context of 128' "$1/npu" "${cpp[@]}" "$work/pixels.bin" $long
  refused 'not the pixels that preprocess makes' "$1/npu" "${cpp[@]}" "$work/short.bin" 1 '<image>'
  refused 'not the pixels that preprocess makes' "$1/npu" "${cpp[@]}" /nowhere 1 '<image>'
  refused 'does not fit into a context of 128' "$1/npu" python3 client.py "$picture" "$long"
  refused 'but pixels of this model have' "$1/genie" "$work/genie" "$libraries/libGenie.so" picture "$work/short.bin" 'What?'
  refused 'is no whole number' "$1/genie" "$work/genie" --tokens abc "$libraries/libGenie.so" picture "$work/pixels.bin" 'What?'
}

# check CHECKPOINT RECIPE QUESTION TEXT-QUESTION
check() {
  local model=tests/data/$1/checkpoint out=$work/${1//\//-}-$2 wanted ids
  local common=(--model-dir "$model" --image-size 256 --target sm8750 --prefill 32 --context 128 --recipe "$2" --quiet)
  "$program" export "${common[@]}" --output-dir "$out" --layout genie,npu --unshared > /dev/null
  "$program" verify --output-dir "$out" --layout genie,npu --quiet > /dev/null
  "$program" export "${common[@]}" --output-dir "$out-own" --no-compile > /dev/null
  "$program" preprocess --model-dir "$model" --image-size 256 --image "$picture" --output "$work/pixels.bin" > /dev/null
  wanted=$(chat "$out-own" "$2" --image "$picture" --prompt "$3")
  "${CXX:-g++}" -std=c++17 -O1 -Wall -Wextra -Werror "$out/genie/client.cc" -o "$work/genie" -ldl
  same "$1 $2: Genie's pipeline" "$(genie "$out" picture "$work/pixels.bin" "$3")" "$wanted"
  "${CXX:-g++}" -std=c++17 -O0 -Wall -Wextra -Werror -I "$headers" "$out/npu/client.cc" -o "$work/npu" "$onnxruntime"
  ids=$(printf '%s' "$3" | "$program" tokenize --model-dir "$model" --chat)
  # shellcheck disable=SC2086  # ids are words
  same "$1 $2: client.cc" "$(npu_cpp "$out" "$work/pixels.bin" $ids)" "$wanted"
  same "$1 $2: client.py" "$(npu_python "$out" "$picture" "$3")" "$wanted"
  wrong_words "$out"
  wanted=$(chat "$out-own" "$2" --prompt "$4")
  printf '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n' "$4" > "$work/prompt"
  ids=$("$program" tokenize --model-dir "$model" < "$work/prompt")
  # shellcheck disable=SC2086
  same "$1 $2: Genie's dialog" "$(genie "$out" ids $ids)" "$wanted"
  asked "$out/genie" "$work/genie" --tokens 12 "$libraries/libGenie.so" text "$work/prompt"
  grep -aq '[^[:space:]]' "$work/out" || { echo "$1 $2: Genie gives no text"; exit 1; }
}

# check_bundle CHECKPOINT RECIPE QUESTION, behind check with the same words: the bundle of its plain export, whose self-test Genie runs,
# and which answers as chat does.
check_bundle() {
  local model=tests/data/$1/checkpoint out=$work/${1//\//-}-$2-own bundle=$work/bundle results=$work/results wanted
  rm -rf "$bundle" "$results"
  "$program" compile --output-dir "$out" --target sm8750 --quiet > /dev/null
  "$program" bundle --output-dir "$out" --target sm8750 --runtime genie --unshared --recipe "$2" --picture "$picture" --question "$3" \
    --to "$bundle" --quiet > /dev/null
  GENIE_LIBRARY=$libraries/libGenie.so LD_LIBRARY_PATH=$work "$bundle/run.sh" --selftest "$results" --any-chip
  "$program" verify --bundle "$bundle" --device-results "$results" --quiet > "$work/out" || { cat "$work/out"; exit 1; }
  "$program" preprocess --model-dir "$bundle" --image-size 256 --image "$picture" --output "$work/pixels.bin" > /dev/null
  wanted=$(chat "$out" "$2" --image "$picture" --prompt "$3")
  same "$1 $2: Genie in the bundle" "$(genie "$bundle" picture "$work/pixels.bin" "$3")" "$wanted"
  # What a device would be given in the place of the right file is refused, by the script there and by verify here.
  truncate -s -1 "$bundle/genie/vision_256.bin"
  if "$bundle/run.sh" --check 2> "$work/err" || "$program" verify --bundle "$bundle" 2> "$work/err2"; then
    echo "$1 $2: a bundle with a context that was cut off is not refused"
    exit 1
  fi
  grep -q 'cut off' "$work/err" && grep -q 'vision_256.bin' "$work/err2"
}

check golden/apple-tied fp16 "What is this?" "What is this?"
check_bundle golden/apple-tied fp16 "What is this?"
check golden/hf-unfused fp16 "What is this?" "Where is it?"
for recipe in w8 w4; do check trained $recipe "What color is the cross?" "What color is the cross?"; done
check_bundle trained w8 "What color is the cross?"
