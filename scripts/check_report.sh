#!/usr/bin/env bash
# The page of evaluate --html in a headless Chromium without a network: it is well-formed, asks for nothing, and shows plots, marks and
# every picture.
#   scripts/check_report.sh [fastvlm-npu]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build/release/fastvlm-npu}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
questions=12

command -v chromium > /dev/null || { apt-get -qq update && apt-get install -qqy --no-install-recommends chromium > /dev/null; }

fail() {
  echo "report: $*"
  exit 1
}

"$program" export --model-dir tests/data/trained/checkpoint --output-dir "$work/out" --target sm8750 --image-sizes 256 --prefill 32 \
  --context 128 --recipe fp16,w4 --no-compile --quiet
head -n "$questions" tests/data/trained/eval/eval.jsonl > "$work/set.jsonl"
printf '{"image": "000.png", "prompt": "Say <b>something</b> & more", "answer": "\\"x\\""}\n{"prompt": \n' >> "$work/set.jsonl"
"$program" evaluate --output-dir "$work/out" --data "$work/set.jsonl" --images tests/data/trained/eval --recipe fp16 --against-recipe w4 \
  --results "$work/pair.jsonl" --html "$work/page.html" --max-failed 1 --quiet
[[ $(grep -c . "$work/pair.jsonl") -eq $((questions + 3)) ]] || fail "not a line for each question"

python3 - "$work/page.html" <<'PY'
import sys, xml.dom.minidom
text = open(sys.argv[1], encoding="utf-8").read()
xml.dom.minidom.parseString(text.removeprefix("<!DOCTYPE html>"))
PY

browser=(unshare --map-root-user --net chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$work/profile" --enable-logging=stderr
  --no-pdf-header-footer)
"${browser[@]}" --dump-dom "file://$work/page.html" > "$work/dom.html" 2> "$work/browser.log" || fail "Chromium cannot open the page"
"${browser[@]}" --print-to-pdf="$work/page.pdf" "file://$work/page.html" 2>> "$work/browser.log"
if grep -E 'CONSOLE|Refused|ERR_' "$work/browser.log"; then fail "the page asked for something or has a fault"; fi

count() { grep -o "$1" "$2" | wc -l; }
[[ $(count '<svg ' "$work/dom.html") -eq 2 ]] || fail "the plots are missing"
[[ $(count 'class="card"' "$work/dom.html") -eq $((questions + 2)) ]] || fail "a question is missing"
grep -q 'Say &lt;b&gt;something&lt;/b&gt; &amp; more' "$work/dom.html" || fail "a question became markup"
# Pictures that a browser has read stand in its PDF as the JPEGs that they are; equal ones once.
[[ $(grep -a -c DCTDecode "$work/page.pdf") -ge $questions ]] || fail "pictures are not shown"
echo "report: $(chromium --version 2> /dev/null | tail -n 1 | cut -d" " -f1,2) shows the page"
