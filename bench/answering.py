#!/usr/bin/env python3
"""Time to the first token and tokens per second on the CPU, beside other programs, in turns.

usage: answering.py PATH/TO/bench_answering SIZE ROUNDS NAME=KIND:FOLDER… [--tokens 32] [--threads 2]

KIND is plain, static or static/RECIPE (an output folder, weights rearranged; with +shared as `chat` runs without --prepack), torch/float32 or
torch/bfloat16 (a checkpoint with the names of transformers) or genai (the folder of --layout onnxruntime-genai). Needs torch, transformers,
timm and onnxruntime-genai for those that are named. All stay open and answer one after the other in each round, so that other work on the
machine meets all of them; the medians' ratios to the first one are what counts. The first ids of the first round are shown: where the
arithmetic is the same they should be.
"""

import argparse
import json
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

QUESTION = "What is this?"
BEFORE = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
AFTER = f"\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"


def write_picture(path, side, slope):
    rows = b"".join(b"\0" + bytes(v for x in range(side) for v in ((7 * x + slope * y) % 256, x * y // 5 % 256, (255 - x + y) % 256)) for y in range(side))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def timed(times, begin, ids):
    return {"first_token": times[0] - begin, "rest": times[-1] - times[0], "ids": [int(i) for i in ids]}


def torch_answers(folder, dtype, size, pictures, tokens, threads):
    import numpy
    import PIL.Image
    import torch
    import transformers

    torch.set_num_threads(threads)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.FastVlmForConditionalGeneration.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    rows = (size // 64) ** 2
    ids = [*tokenizer(BEFORE)["input_ids"], *[model.config.image_token_index] * rows, *tokenizer(AFTER)["input_ids"]]

    def read(path):  # of the model's size already
        return torch.tensor(numpy.asarray(PIL.Image.open(path)) / 255.0).permute(2, 0, 1)[None].to(getattr(torch, dtype))

    class Times:
        def __init__(self):
            self.times = []

        def put(self, value):
            self.times.append(time.perf_counter())

        def end(self):
            pass

    def answer():
        times = Times()
        begin = time.perf_counter()
        pictures.append(pictures.pop(0))
        pixels = read(pictures[-1])
        with torch.inference_mode():
            out = model.generate(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), pixel_values=pixels,
                                 do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens, streamer=times)
        return timed(times.times[1:], begin, out[0][-tokens:])  # the first is the prompt

    return answer


def genai_answers(folder, pictures, tokens, threads):
    import onnxruntime_genai as og

    config = og.Config(folder)
    config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": threads}}}}))
    model = og.Model(config)
    tokenizer, processor = og.Tokenizer(model), model.create_multimodal_processor()
    content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
    prompt = tokenizer.apply_chat_template(json.dumps([{"role": "user", "content": content}]), add_generation_prompt=True)

    def answer():
        begin = time.perf_counter()
        pictures.append(pictures.pop(0))
        parameters = og.GeneratorParams(model)
        parameters.set_search_options(max_length=2048)
        generator = og.Generator(model, parameters)
        generator.set_inputs(processor(prompt, images=og.Images.open(pictures[-1])))
        times, ids = [], []
        for _ in range(tokens):
            generator.generate_next_token()
            ids.append(generator.get_next_tokens()[0])
            times.append(time.perf_counter())
        return timed(times, begin, ids)

    return answer


def work(kind, folder, size, tokens, threads, pictures):
    name, _, more = kind.partition("/")
    answer = torch_answers(folder, more, size, pictures, tokens, threads) if name == "torch" else genai_answers(folder, pictures, tokens, threads)
    print(json.dumps(answer()), flush=True)
    for _ in sys.stdin:
        print(json.dumps(answer()), flush=True)


def start(a, kind, folder, pictures):
    plain_kind = kind.removesuffix("+shared")
    name, _, recipe = plain_kind.partition("/")
    if name in ("plain", "static"):
        weights = "shared" if kind.endswith("+shared") else "prepacked"
        command = [a.program, folder, name, recipe or "-", str(a.size), str(a.tokens), str(a.threads), weights, QUESTION, *pictures]
    else:
        command = [sys.executable, __file__, "--work", kind, folder, str(a.size), str(a.tokens), str(a.threads), *pictures]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(child):
    child.stdin.write("\n")
    child.stdin.flush()
    return json.loads(child.stdout.readline())


def main():
    if sys.argv[1:2] == ["--work"]:
        kind, folder, size, tokens, threads, *pictures = sys.argv[2:]
        return work(kind, folder, int(size), int(tokens), int(threads), pictures)
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("size", type=int)
    parser.add_argument("rounds", type=int)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures = [str(pathlib.Path(folder) / f"{slope}.png") for slope in (3, 5)]
        for slope, path in zip((3, 5), pictures):
            write_picture(pathlib.Path(path), a.size, slope)
        children = {}
        for model in a.models:
            name, _, what = model.partition("=")
            kind, _, where = what.partition(":")
            children[name] = start(a, kind, where, pictures)
            json.loads(children[name].stdout.readline())  # one after the other, warm now
            print(f"{name} is warm", file=sys.stderr, flush=True)
        told = {name: [] for name in children}
        for _ in range(a.rounds):
            for name, child in children.items():
                told[name].append(ask(child))
                print(name, *(f"{told[name][-1][key]:.3f}" for key in ("first_token", "rest")), file=sys.stderr, flush=True)
        for child in children.values():
            child.stdin.close()
            child.wait()
    first = {}
    print(f"{'':24} first token s   ratio   tokens/s   ratio   ids")
    for name, answers in told.items():
        ttft = statistics.median(x["first_token"] for x in answers)
        rate = statistics.median((len(x["ids"]) - 1) / x["rest"] for x in answers)
        first = first or {"ttft": ttft, "rate": rate}
        print(f"{name:24} {ttft:13.3f} {ttft / first['ttft']:7.2f} {rate:10.2f} {first['rate'] / rate:7.2f}   {answers[0]['ids'][:4]}")


if __name__ == "__main__":
    sys.exit(main())
