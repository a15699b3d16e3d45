#!/usr/bin/env python3
"""What the forms of GELU cost and lose on the NPU: the tower of the 0.5B shapes, random weights, and golden towers.

    bench/gelu_forms.py [--target sm8750] [--sizes 256,1024] [--rounds 3] [--forms exact,auto,fast] [--work FOLDER] [--program …]

Compiles the vision context of each form in turn, `--rounds` times, and prints processor time and peak memory of the whole run
(the program and its child), the size of the context, and how far the emulated NPU is from the CPU. `auto` takes ranges of the
pictures in --images (default: those of tests/data). Of the decoder one layer is kept, so that it costs little.
Needs the runtimes of `fastvlm-npu doctor --fetch`, 8 GB of disk, and at 1024 pixels minutes for each emulated run
(--no-accuracy leaves them out).
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time


def run(program, *arguments, codes=(0,)):
    """Standard output, processor seconds in user mode, wall seconds, peak MB. Children of children count."""
    begin = time.monotonic()
    process = subprocess.Popen([program, "--quiet", *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in codes:
        raise SystemExit(f"{arguments}: exit code {os.waitstatus_to_exitcode(status)}")
    return output, usage.ru_utime, time.monotonic() - begin, usage.ru_maxrss / 1e3


def one_layer(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    (config.get("text_config") or config)["num_hidden_layers"] = 1
    (checkpoint / "config.json").write_text(json.dumps(config))


def make_exports(o, checkpoint, name, size):
    ranges = o.work / f"{name}_{size}.fvc"
    if "auto" in o.forms and not ranges.exists():
        run(o.program, "calibrate", "--model-dir", checkpoint, "--image-size", size, "--images", o.images, "--reply-tokens", 1, "--output", ranges)
    folders = {}
    for form in o.forms:
        folders[form] = o.work / f"{name}_{size}_{form}"
        if folders[form].exists():
            continue
        extra = ["--calibration", ranges] if form == "auto" else []
        run(o.program, "export", "--model-dir", checkpoint, "--output-dir", folders[form], "--image-size", size, "--target", o.target, "--prefill", 4,
            "--context", 32, "--no-compile", "--gelu", form, *extra)
    return folders


def forms_in(folder):
    counts = {}
    for gelu in json.loads((folder / "manifest.json").read_text()).get("gelus", []):
        counts[gelu["form"]] = counts.get(gelu["form"], 0) + 1
    return ", ".join(f"{count} {form}" for form, count in sorted(counts.items()))


def compile_vision(o, folder):
    """Processor seconds, wall seconds, peak MB, MB of the context, which goes into a cache that is thrown away."""
    cache = o.work / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    library, plugin = (runtime["path"] for runtime in json.loads(run(o.program, "doctor", "--json")[0])["runtimes"])
    output, user, wall, peak = run(o.program, "compile", "--output-dir", folder, "--target", o.target, "--jobs", 1, "--shard", o.shard, "--cache", cache,
                                   "--ort-library", library, "--qnn-plugin", plugin, "--json")
    shutil.rmtree(cache)
    contexts = [row for row in json.loads(output) if row["group"] == "vision"]
    assert len(contexts) == 1, f"--shard {o.shard} is not the vision context"
    return user, wall, peak, contexts[0]["bytes"] / 1e6


def accuracy(o, folder):
    """dB of the picture's features, NPU against CPU."""
    output, *_ = run(o.program, "verify", "--output-dir", folder, "--runner", "htp", "--target", o.target, "--json", codes=(0, 1))
    for row in json.loads(output)["rows"]:
        if row["check"] == "npu" and "vision" in row["subject"] and row.get("snr_db") is not None:
            return row["snr_db"]
    return None


def measure(o, name, checkpoint, size):
    folders = make_exports(o, checkpoint, name, size)
    runs = {form: [] for form in o.forms}
    for _ in range(o.rounds):
        for form in o.forms:
            runs[form].append(compile_vision(o, folders[form]))
    for form in o.forms:
        user, wall, peak, context = (statistics.median(column) for column in zip(*runs[form]))
        decibels = None if o.no_accuracy else accuracy(o, folders[form])
        base = statistics.median(row[0] for row in runs[o.forms[0]])
        print(f"| {name} | {size} | {form}: {forms_in(folders[form])} | {user:.1f} | {user / base:.2f} | {wall:.0f} | {peak:.0f} | {context:.1f} | "
              f"{'-' if decibels is None else f'{decibels:.1f} dB'} |", flush=True)
        if not o.keep:
            shutil.rmtree(folders[form], ignore_errors=True)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="sm8750")
    parser.add_argument("--sizes", default="256")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--forms", default="exact,auto,fast", help="the first is what the others are compared with")
    parser.add_argument("--images", type=pathlib.Path, default=root / "tests" / "data" / "images" / "input")
    parser.add_argument("--shard", default="1/2", help="the part of the contexts that is the vision context")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="another checkpoint than that of the 0.5B shapes")
    parser.add_argument("--work", type=pathlib.Path, default=root / "build" / "bench-gelu")
    parser.add_argument("--program", default=str(root / "build" / "release" / "fastvlm-npu"))
    parser.add_argument("--no-accuracy", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the exports; they are taken as they are the next time")
    o = parser.parse_args()
    o.forms = o.forms.split(",")
    o.work.mkdir(parents=True, exist_ok=True)
    checkpoint, name = o.checkpoint, o.checkpoint.parent.name if o.checkpoint else "0.5b"
    if checkpoint is None:
        checkpoint = o.work / "checkpoint-0.5b"
        if not checkpoint.exists():
            run(o.program, "make-checkpoint", "--size", "0.5b", "--dialect", "apple", "--output-dir", checkpoint)
            one_layer(checkpoint)
    print("| tower | pixels | form | processor s | of exact | wall s | peak MB | context MB | NPU against CPU |")
    print("|---|---|---|---|---|---|---|---|---|")
    for size in o.sizes.split(","):
        measure(o, name, checkpoint, int(size))


if __name__ == "__main__":
    main()
