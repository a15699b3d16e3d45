#!/usr/bin/env python3
"""Export of a full-size checkpoint with random weights against `cp -r` of the finished folder, in turn, both followed by sync.

    bench/export.py [--size 0.5b] [--rounds 5] [--work FOLDER] [--program build/release/fastvlm-npu] [--keep] [--recipes fp16,w8,w4]

Prints one row for each figure: medians of the rounds, and the ratio of the medians. With --recipes it exports for an NPU with each of them
in turn instead, and compares them with the first.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import time


def run(arguments):
    """Wall seconds until the disk has it, the peak resident memory of the child in MB, and its processor seconds."""
    begin = time.monotonic()
    child = os.spawnvp(os.P_NOWAIT, arguments[0], arguments)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(arguments)}")
    os.sync()
    return time.monotonic() - begin, usage.ru_maxrss / 1000, usage.ru_utime + usage.ru_stime


def warm(folder):
    """Brings all files into the page cache, past which the export has written them: cp shall have its best case."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                while file.read(1 << 22):
                    pass


def folder_bytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def compare_recipes(options, checkpoint, output):
    names = options.recipes.split(",")
    runs = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            shutil.rmtree(output, ignore_errors=True)
            os.sync()
            runs[name].append(run([options.program, "--quiet", "export", "--model-dir", str(checkpoint), "--output-dir", str(output), "--target", "sm8750",
                                   "--image-size", "256", "--prefill", "128", "--context", "1024", "--no-compile", "--recipe", name]))
    shutil.rmtree(output, ignore_errors=True)
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in runs.items()}
    for name, (seconds, memory, processor) in medians.items():
        walls = [row[0] for row in runs[name]]
        print(f"{name:8} {seconds:5.1f} s ({min(walls):.1f} to {max(walls):.1f}), {seconds / medians[names[0]][0]:.2f} of {names[0]}; "
              f"processor {processor:5.1f} s, {processor / medians[names[0]][2]:.2f}; peak {memory:.0f} MB")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="0.5b", choices=["tiny", "0.5b", "1.5b", "7b"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=pathlib.Path, default=root / "build" / "bench-export")
    parser.add_argument("--program", default=str(root / "build" / "release" / "fastvlm-npu"))
    parser.add_argument("--dialect", default="apple", choices=["apple", "hf"])
    parser.add_argument("--recipes", help="export with these recipes for an NPU, in turn; without cp")
    parser.add_argument("--keep", action="store_true", help="leave the folders for another look")
    options = parser.parse_args()

    checkpoint, output, copy = options.work / f"checkpoint-{options.size}", options.work / "output", options.work / "copy"
    options.work.mkdir(parents=True, exist_ok=True)
    if not checkpoint.exists():
        seconds, memory, _ = run([options.program, "--quiet", "make-checkpoint", "--size", options.size, "--dialect", options.dialect,
                               "--output-dir", str(checkpoint)])
        print(f"make-checkpoint {options.size}: {seconds:.1f} s, peak {memory:.0f} MB")
    if options.recipes:
        return compare_recipes(options, checkpoint, output)
    exports, copies, peaks = [], [], []
    for _ in range(options.rounds):
        shutil.rmtree(output, ignore_errors=True)
        os.sync()
        seconds, memory, _ = run([options.program, "--quiet", "export", "--model-dir", str(checkpoint), "--output-dir", str(output)])
        exports.append(seconds)
        peaks.append(memory)
        if options.rounds > 1:
            shutil.rmtree(copy, ignore_errors=True)
            warm(output)
            os.sync()
            copies.append(run(["cp", "-r", str(output), str(copy)])[0])
    print(f"checkpoint {folder_bytes(checkpoint) / 1e9:.2f} GB, output {folder_bytes(output) / 1e9:.2f} GB, {options.rounds} rounds")
    print(f"export  median {statistics.median(exports):6.1f} s  (min {min(exports):.1f}, max {max(exports):.1f}), peak memory {max(peaks):.0f} MB")
    if copies:
        print(f"cp -r   median {statistics.median(copies):6.1f} s  (min {min(copies):.1f}, max {max(copies):.1f})")
        print(f"ratio   {statistics.median(exports) / statistics.median(copies):.2f}")
    if not options.keep:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.rmtree(output, ignore_errors=True)


if __name__ == "__main__":
    main()
