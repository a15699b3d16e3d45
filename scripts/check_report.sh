#!/usr/bin/env bash
# The pages of evaluate --html and of report in a headless Chromium without a network: they are well-formed, ask for nothing, and show
# plots, marks and every picture.
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

browser=(unshare --map-root-user --net chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$work/profile" --enable-logging=stderr
  --no-pdf-header-footer)

# Opens <work>/NAME.html; its DOM and a PDF are made beside it.
open_page() {
  local name=$1
  python3 -c 'import sys, xml.dom.minidom
xml.dom.minidom.parseString(open(sys.argv[1], encoding="utf-8").read().removeprefix("<!DOCTYPE html>"))' "$work/$name.html"
  [[ $(stat -c %s "$work/$name.html") -lt 2000000 ]] || fail "$name.html is too large to send"
  "${browser[@]}" --dump-dom "file://$work/$name.html" > "$work/$name.dom" 2> "$work/browser.log" || fail "Chromium cannot open $name.html"
  "${browser[@]}" --print-to-pdf="$work/$name.pdf" "file://$work/$name.html" 2>> "$work/browser.log"
  # What pages of the browser itself say is not ours.
  if grep -E 'CONSOLE|Refused|ERR_' "$work/browser.log" | grep -v 'source: chrome://'; then fail "$name.html asked for something or has a fault"; fi
}

open_page page
count() { grep -o "$1" "$2" | wc -l; }
[[ $(count '<svg ' "$work/page.dom") -eq 2 ]] || fail "the plots are missing"
[[ $(count 'class="card"' "$work/page.dom") -eq $((questions + 2)) ]] || fail "a question is missing"
grep -q 'Say &lt;b&gt;something&lt;/b&gt; &amp; more' "$work/page.dom" || fail "a question became markup"
# Pictures that a browser has read stand in its PDF as the JPEGs that they are; equal ones once.
[[ $(grep -a -c DCTDecode "$work/page.pdf") -ge $questions ]] || fail "pictures are not shown"

# A page about the export, with its picture, both decoders and the accuracy of each.
"$program" report --output-dir "$work/out" --html "$work/export.html" --picture tests/data/trained/eval/000.png \
  --question "What color is the cross?" --quiet
open_page export
[[ $(count '<svg ' "$work/export.dom") -eq 3 ]] || fail "not a plot for the tower and each decoder"
if grep -E '<(circle|path)[^>]*(nan|inf)' "$work/export.dom"; then fail "a plot has points that are no numbers"; fi
[[ $(count '<circle ' "$work/export.dom") -ge 18 ]] || fail "plots are empty"
[[ $(count '</b>purple</div>' "$work/export.dom") -eq 2 ]] || fail "the answers of both decoders are missing"
[[ $(grep -a -c DCTDecode "$work/export.pdf") -ge 1 ]] || fail "the picture is not shown"
"$program" report --output-dir "$work/out" --html "$work/again.html" --picture tests/data/trained/eval/000.png \
  --question "What color is the cross?" --quiet
cmp "$work/export.html" "$work/again.html" || fail "the same export gives another page"
echo "report: $(chromium --version 2> /dev/null | tail -n 1 | cut -d" " -f1,2) shows the pages"
