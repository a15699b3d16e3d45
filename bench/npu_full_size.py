#!/usr/bin/env python3
"""The real 0.5B shapes on the NPU: three image sizes in one vision context, prompts of 128 and 1 token in one decoder context.

    bench/npu_full_size.py [--target sm8750] [--work FOLDER] [--program build/release/fastvlm-npu] [--keep]

Random weights. Prints each context with its size, compile time, what of it was the backend's own, and peak memory.
Needs the runtimes of `fastvlm-npu doctor --fetch`, about 12 GB of disk and 6 GB of memory.
"""
import argparse
import json
import pathlib
import shutil
import subprocess


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="sm8750")
    parser.add_argument("--work", type=pathlib.Path, default=root / "build" / "bench-npu")
    parser.add_argument("--program", default=str(root / "build" / "release" / "fastvlm-npu"))
    parser.add_argument("--checkpoint", type=pathlib.Path, help="an existing 0.5B checkpoint")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()

    options.work.mkdir(parents=True, exist_ok=True)
    checkpoint, output = options.checkpoint or options.work / "checkpoint-0.5b", options.work / "output"
    if not checkpoint.exists():
        subprocess.run([options.program, "--quiet", "make-checkpoint", "--size", "0.5b", "--dialect", "apple", "--output-dir", checkpoint], check=True)
    shutil.rmtree(output, ignore_errors=True)
    subprocess.run([options.program, "--quiet", "export", "--model-dir", checkpoint, "--output-dir", output, "--target", options.target,
                    "--image-sizes", "256,512,1024", "--prefill", "128", "--context", "1024", "--no-compile"], check=True)
    answer = subprocess.run([options.program, "--quiet", "compile", "--output-dir", output, "--target", options.target, "--jobs", "1", "--no-cache", "--json"],
                            check=True, capture_output=True, text=True)
    print("| context | graphs | MB | seconds | of it the backend | overhead | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for row in json.loads(answer.stdout):
        backend = sum(graph["backend_seconds"] for graph in row["graphs"])
        graphs = ", ".join(graph["name"] for graph in row["graphs"])
        print(f"| {row['group']} | {graphs} | {row['bytes'] / 1e6:.0f} | {row['seconds']:.1f} | {backend:.1f} | "
              f"{100 * (row['seconds'] / backend - 1):.1f} % | {row['peak_rss_bytes'] / 1e6:.0f} |")
    if not options.keep:
        shutil.rmtree(output, ignore_errors=True)


if __name__ == "__main__":
    main()
