#!/usr/bin/env python3
"""Peak memory of `preprocess` for photographs of 200 megapixels in each form that a file may have.

    bench/photo_memory.py [--program build/release/fastvlm-npu] [--width 16000] [--height 12500]

Needs Pillow, and 3 GB of memory to make the files. Prints one row for each form: bytes of the file, peak resident memory, seconds.
"""
import argparse
import os
import pathlib
import random
import tempfile
import time

from PIL import Image

FORMS = {
    "JPEG, baseline": ("jpg", {"quality": 90}),
    "JPEG, progressive": ("jpg", {"quality": 90, "progressive": True}),
    "JPEG, progressive, colour at full size": ("jpg", {"quality": 90, "progressive": True, "subsampling": 0}),
    "PNG": ("png", {"compress_level": 1}),
}


def photograph(width, height):
    """Gradients with grain, the same on every run; a photograph's bytes per pixel."""
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/release/fastvlm-npu")
    parser.add_argument("--width", type=int, default=16000)
    parser.add_argument("--height", type=int, default=12500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        picture = photograph(options.width, options.height)
        paths = {}
        for index, (form, (suffix, how)) in enumerate(FORMS.items()):
            paths[form] = pathlib.Path(folder) / f"{index}.{suffix}"
            picture.save(paths[form], **how)
        del picture
        print("| form | file MB | peak MB | seconds |\n|---|---|---|---|")
        for form, path in paths.items():
            seconds, peak = run([options.program, "preprocess", "--image", str(path), "--output", f"{folder}/out.png", "--quiet"])
            print(f"| {form} | {path.stat().st_size / 1e6:.0f} | {peak:.0f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
