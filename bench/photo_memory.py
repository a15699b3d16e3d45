#!/usr/bin/env python3
"""Peak memory of `preprocess` for photographs of 200 megapixels in each form that a file may have.

    bench/photo_memory.py [--program build/release/fastvlm-npu] [--width 16000] [--height 12500]

Needs Pillow, and 3 GB of memory to make the files. Prints one row for each form: bytes of the file, peak resident memory, seconds.
"""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

FORMS = {
    "JPEG, baseline": ("jpg", {"quality": 90}),
    "JPEG, progressive": ("jpg", {"quality": 90, "progressive": True}),
    "JPEG, progressive, colour at full size": ("jpg", {"quality": 90, "progressive": True, "subsampling": 0}),
    "PNG": ("png", {"compress_level": 1}),
}


def photograph(width, height):
    """Gradients with grain, the same on every run; a photograph's bytes per pixel."""
    from PIL import Image  # not in the process that measures

    Image.MAX_IMAGE_PIXELS = None
    tile = Image.frombytes("L", (512, 512), random.Random(1).randbytes(512 * 512))
    grain = Image.new("L", (width, height))
    for y in range(0, height, 512):
        for x in range(0, width, 512):
            grain.paste(tile, (x, y))
    slope = Image.linear_gradient("L")
    channels = [Image.blend(slope.rotate(turn).resize((width, height)), grain, 0.1) for turn in (0, 90, 180)]
    return Image.merge("RGB", channels)


def run(arguments):
    begin = time.monotonic()
    child = os.spawnvp(os.P_NOWAIT, arguments[0], arguments)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise SystemExit(f"failed: {' '.join(arguments)}")
    return time.monotonic() - begin, usage.ru_maxrss / 1000


def file_of(folder, index):
    return pathlib.Path(folder) / f"{index}.{list(FORMS.values())[index][0]}"


def make(options):
    picture = photograph(options.width, options.height)
    for index, (_, how) in enumerate(FORMS.values()):
        picture.save(file_of(options.make, index), **how)


def measure(options, folder):
    # In a process of its own: the peak of a child counts from that of its parent.
    sizes = ["--width", str(options.width), "--height", str(options.height)]
    subprocess.run([sys.executable, __file__, "--make", folder, *sizes], check=True)
    print("| form | file MB | peak MB | seconds |\n|---|---|---|---|")
    for index, form in enumerate(FORMS):
        path = file_of(folder, index)
        seconds, peak = run([options.program, "preprocess", "--image", str(path), "--output", f"{folder}/out.png", "--quiet"])
        print(f"| {form} | {path.stat().st_size / 1e6:.0f} | {peak:.0f} | {seconds:.1f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/release/fastvlm-npu")
    parser.add_argument("--width", type=int, default=16000)
    parser.add_argument("--height", type=int, default=12500)
    parser.add_argument("--make", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(options, folder)


if __name__ == "__main__":
    main()
