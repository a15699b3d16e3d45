#!/usr/bin/env python3
"""Damaged ONNX files through `check-ops` as a user runs it, child and all: no run may end by a signal, hang or say nothing.

    scripts/fuzz_check_ops.py [--program build/release/fastvlm-npu] [--models tests/fuzz/check_ops …] [--runs 1000] [--seed 1]

Each run takes a model from the folders, changes, cuts, doubles or splices some of its bytes, and judges it. Exit codes may be 0
(judged), 1 (something is refused) or 3 (no model); any other is a mistake of ours.
Files that went wrong stay in --keep. `fuzz/check_ops.cc` does the same in one process, with sanitizers and without the child.
"""
import argparse
import collections
import pathlib
import random
import subprocess
import sys
import tempfile
import time

CHIPS = ("sm8750", "sm8350", "x-elite")


def mutated(chance, models):
    data = bytearray(chance.choice(models))
    keep = chance.random() < 0.7  # the length: most of such files are still models
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not data:
            break
        at = chance.randrange(len(data))
        kind = chance.randrange(3 if keep else 7)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 2:
            other = chance.choice(models)
            begin = chance.randrange(len(other))
            piece = other[begin : begin + chance.randrange(1, 9)][: len(data) - at]
            data[at : at + len(piece)] = piece
        elif kind == 3:
            del data[at : at + chance.randrange(1, 16)]
        elif kind == 4:
            data[at:at] = data[at : at + chance.randrange(1, 64)]
        elif kind == 5:
            other = chance.choice(models)
            begin = chance.randrange(len(other) + 1)
            data[at : at + 8] = other[begin : begin + chance.randrange(1, 64)]
        else:
            del data[at:]
    return bytes(data)


def judge(program, path, chip, limit):
    """What went wrong, or "", and the exit code."""
    try:
        done = subprocess.run([program, "check-ops", path, "--target", chip, "--json"], capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"no end after {limit} s", None
    if done.returncode not in (0, 1, 3):
        return f"exit {done.returncode}: {done.stderr.decode(errors='replace')[-400:]}", done.returncode
    if not done.stdout.startswith(b"{"):
        return "no JSON on standard output", done.returncode
    return "", done.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/release/fastvlm-npu")
    parser.add_argument("--models", nargs="+", default=["tests/fuzz/check_ops"], help="folders; every .onnx below them")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no further run after these")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=300, help="seconds of one run")
    parser.add_argument("--keep", type=pathlib.Path, default=pathlib.Path("check-ops-findings"))
    options = parser.parse_args()
    models = [path.read_bytes() for folder in options.models for path in sorted(pathlib.Path(folder).rglob("*.onnx"))]
    models = [model for model in models if 0 < len(model) < 100_000]
    if not models:
        sys.exit(f"no models in {', '.join(options.models)}")
    chance = random.Random(options.seed)
    codes, failed = collections.Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        begin, runs = time.monotonic(), 0
        for run in range(options.runs):
            if time.monotonic() - begin > options.seconds:
                break
            runs += 1
            path.write_bytes(mutated(chance, models))
            problem, code = judge(options.program, str(path), chance.choice(CHIPS), options.limit)
            codes[code] += 1
            if problem:
                failed += 1
                options.keep.mkdir(exist_ok=True)
                (options.keep / f"{options.seed}-{run}.onnx").write_bytes(path.read_bytes())
                print(f"run {run}: {problem}", flush=True)
    print(f"{len(models)} models, {runs} runs, exit codes {dict(sorted(codes.items(), key=str))}")
    print(f"check-ops: {runs - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
