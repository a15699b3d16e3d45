#!/usr/bin/env python3
"""Times our preprocessing against Pillow's on one made-up 12-megapixel JPEG, in turn, and compares the bytes.

    bench/preprocess_vs_pillow.py build/bench/bench_preprocess [--rounds 7]

Needs Pillow. Both sides read the file, decode it, apply the EXIF orientation and make the RGB square of 1024 pixels.
Prints the medians and their ratio (ours / Pillow's); fails when a byte differs or the ratio is above --limit.
"""

import argparse
import hashlib
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from PIL import Image, ImageChops, ImageFilter, ImageOps

SIZE = 1024


def make_photograph(path, width=4000, height=3000):
    """Smooth shapes, edges and a little grain: as many bytes per pixel as a camera's JPEG. The same on every run."""
    state = 12345
    grain = bytearray()
    for _ in range(256 * 256):
        state = (state * 1664525 + 1013904223) % 2**32
        grain.append(state >> 24)
    noise = Image.frombytes("L", (256, 256), bytes(grain))
    channels = []
    for shift, blur in ((0, 6), (40, 9), (80, 12)):
        shapes = ImageChops.offset(noise, shift).filter(ImageFilter.GaussianBlur(blur))
        shapes = ImageOps.autocontrast(shapes).resize((width, height), Image.Resampling.BICUBIC)
        channels.append(shapes)
    tile = Image.new("L", (width, height))
    for y in range(0, height, 256):
        for x in range(0, width, 256):
            tile.paste(noise, (x, y))
    channels = [Image.blend(channel, tile, 0.08) for channel in channels]
    Image.merge("RGB", channels).save(path, quality=90)


def pillow_square(path, mode):
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    width, height = image.size
    if mode == "pad":
        side = max(width, height)
        square = Image.new("RGB", (side, side))
        square.paste(image, ((side - width) // 2, (side - height) // 2))
        return square.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    shorter = min(width, height)
    resized = image.resize((SIZE * width // shorter, SIZE * height // shorter), Image.Resampling.BICUBIC)
    left, top = (resized.width - SIZE) // 2, (resized.height - SIZE) // 2
    return resized.crop((left, top, left + SIZE, top + SIZE))


def compare(program, picture, mode, rounds):
    ours, theirs = [], []
    for _ in range(rounds):
        lines = subprocess.run(
            [program, str(picture), str(SIZE), mode, "3"], check=True, capture_output=True, text=True
        ).stdout.split()
        ours += [float(line) for line in lines[:-1]]
        for _ in range(3):
            begin = time.perf_counter()
            expected = pillow_square(picture, mode)
            theirs.append((time.perf_counter() - begin) * 1000)
    if hashlib.sha256(expected.tobytes()).hexdigest() != lines[-1]:
        sys.exit(f"{mode}: our bytes differ from Pillow's")
    return statistics.median(ours), statistics.median(theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=float, default=1.5)
    arguments = parser.parse_args()
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        picture = pathlib.Path(folder) / "photograph.jpg"
        make_photograph(picture)
        print(f"4000 x 3000 JPEG of {picture.stat().st_size / 1e6:.1f} MB to {SIZE} x {SIZE}")
        for mode in ("pad", "crop"):
            ours, theirs = compare(arguments.program.resolve(), picture, mode, arguments.rounds)
            worst = max(worst, ours / theirs)
            print(f"{mode:5} ours {ours:7.1f} ms   Pillow {theirs:7.1f} ms   ratio {ours / theirs:.2f}   bytes equal")
    if worst > arguments.limit:
        sys.exit(f"slower than {arguments.limit} x Pillow")


if __name__ == "__main__":
    main()
