#!/usr/bin/env python3
"""Merging many shards of a calibration: seconds, peak memory, and whether the bytes are those of the single run.

    bench/shards.py [--shards 1000] [--size 0.5b] [--work FOLDER] [--program build/release/fastvlm-npu]

Calibrates a made-up checkpoint of this size with one picture, makes a shard of every part of it (each the same numbers under
another part), and merges them in two orders. Counts and squares of the result must be those of one shard times their number.
A 0.5B calibration takes half a minute and 8.4 GB.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import tempfile
import time

PICTURES = pathlib.Path(__file__).resolve().parent.parent / "tests/data/trained/eval"
PARTS = 200  # of the calibration, whose first is one picture


def run(program, *arguments):
    """Wall seconds and peak MB."""
    begin = time.monotonic()
    process = subprocess.Popen([program, "--quiet", *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{arguments[0]}: exit code {os.waitstatus_to_exitcode(status)}")
    return time.monotonic() - begin, usage.ru_maxrss / 1e3


def squares(text):
    """A sum of squares as an integer, in units of 2^-52."""
    whole, fraction = text.split(".")
    return int(whole + fraction, 16)


def check(merged, one, shards):
    for key, value in one["values"].items():
        got = merged["values"][key]
        assert got["count"] == shards * value["count"], key
        assert got["histogram"] == [shards * count for count in value["histogram"]], key
        assert squares(got["square_sum"]) == shards * squares(value["square_sum"]), key
        assert (got["min"], got["max"]) == (value["min"], value["max"]), key
    assert merged["values"].keys() == one["values"].keys()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=1000)
    parser.add_argument("--size", default="0.5b")
    parser.add_argument("--work", type=pathlib.Path)
    parser.add_argument("--program", default="build/release/fastvlm-npu")
    o = parser.parse_args()
    work = o.work or pathlib.Path(tempfile.mkdtemp())
    checkpoint, one = work / "checkpoint", work / "one.fvc"
    if not one.exists():
        run(o.program, "make-checkpoint", "--size", o.size, "--dialect", "apple", "--output-dir", checkpoint)
        seconds, peak = run(o.program, "calibrate", "--model-dir", checkpoint, "--images", PICTURES, "--image-size", 256,
                            "--reply-tokens", 1, "--shard", f"1/{PARTS}", "--output", one)
        print(f"calibration of one picture: {seconds:.0f} s, {peak:.0f} MB")
    text = one.read_text()
    (work / "shards").mkdir(exist_ok=True)
    files = []
    for part in range(1, o.shards + 1):
        files.append(work / "shards" / f"{part}.fvc")
        changed = text.replace(f'"of":{PARTS},"parts":[1]', f'"of":{o.shards},"parts":[{part}]')
        assert changed != text
        files[-1].write_text(changed)
    values = len(json.loads(text)["values"])
    print(f"{o.shards} shards of {values} values, {len(text) / 1e6:.2f} MB each")
    outputs = []
    for name in ("in order", "shuffled"):
        output = work / f"merged {name}.fvc"
        seconds, peak = run(o.program, "merge", *files, "--output", output)
        print(f"merged {name}: {seconds:.1f} s, {peak:.0f} MB")
        outputs.append(output.read_bytes())
        random.Random(1).shuffle(files)
    assert outputs[0] == outputs[1], "the order of the files shows in the bytes"
    check(json.loads(outputs[0]), json.loads(text), o.shards)
    print("the same bytes in both orders; counts, histograms and squares add up")


if __name__ == "__main__":
    main()
