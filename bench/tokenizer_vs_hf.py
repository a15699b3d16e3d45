#!/usr/bin/env python3
"""Our tokenizer beside Hugging Face `tokenizers`, both on one core, in one run, on the mixed text of bench_tokenizer.

Times are CPU times, so that other load on the machine does not decide.

Needs `pip install tokenizers`. Usage: tokenizer_vs_hf.py [bench_tokenizer] [folder with tokenizer.json] [text file]
Exits with 1 when an id differs.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer  # noqa: E402  (reads the variables above)

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROUNDS = 3
DOCUMENT = 4096  # characters; Hugging Face tokenizers is quicker on many small texts than on one large one


def fnv1a(ids):
    value = 0xCBF29CE484222325
    for token in ids:
        value = ((value ^ token) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def documents(text):
    """Cuts behind a line feed that text follows: there the ids of the parts are the ids of the whole."""
    begin = 0
    while begin < len(text):
        end = begin + DOCUMENT
        while True:
            end = text.find("\n", end) + 1
            if end == 0:
                end = len(text)
            if end == len(text) or text[end].isalnum():
                break
        yield text[begin:end]
        begin = end


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/bench/bench_tokenizer"
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "tests/data/tokenizer/qwen2.5"
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else pathlib.Path(scratch) / "mixed.txt"
        if len(sys.argv) <= 3:
            subprocess.run([program, "text", file], check=True)
        texts = list(documents(file.read_bytes().decode()))
        reference = Tokenizer.from_file(str(folder / "tokenizer.json"))

        ours, theirs, ids = [], [], []
        for _ in range(ROUNDS):  # in turns, so that both meet the same machine
            result = json.loads(subprocess.run([program, "encode", folder, file], check=True, stdout=subprocess.PIPE).stdout)
            ours.append(result["seconds"])
            begin = time.process_time()
            encodings = [reference.encode(part, add_special_tokens=False) for part in texts]
            theirs.append(time.process_time() - begin)
            ids = [token for encoding in encodings for token in encoding.ids]

    size = result["bytes"] / 1e6
    equal = fnv1a(ids) == result["hash"] and len(ids) == result["ids"]
    print(f"text                      {size:8.1f} MB, {len(ids)} ids, {'all equal' if equal else 'DIFFERENT'}")
    print(f"fastvlm                   {size / min(ours):8.1f} MB/s")
    print(f"Hugging Face tokenizers   {size / min(theirs):8.1f} MB/s")
    print(f"ratio                     {min(theirs) / min(ours):8.1f} x")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
