#!/usr/bin/env python3
"""Writes resampling_cases.json: SHA-256 of what Pillow and NumPy make of some pictures by every way of preprocessing.

    pip install pillow numpy; python3 make_resampling_cases.py

Written after the image processors of transformers (the ones that use Pillow) and LLaVA's padding.
"""

import hashlib
import json
import math
import pathlib

import numpy
from PIL import Image

HERE = pathlib.Path(__file__).parent
FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
PICTURES = ["input/coffee.png", "input/tall_rgba.png", "input/one_pixel.png", "edge/sampling_420.jpg"]
CLIP = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
# size, resize_to, and what else differs from FastVLM's own settings.
WAYS = [
    {"size": 64},
    {"size": 256},
    {"size": 256, "resize_to": 288},
    {"size": 128, "resize_to": 100},
    {"size": 192, "resize": False},
    {"size": 64, "pad_color": [122, 116, 104]},
]
VALUES = [
    {},
    CLIP,
    {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    {"rescale_factor": 1.0},
    {"rescale_factor": 0.00784313725490196, "mean": [1.0, 1.0, 1.0]},
]


def padded(image, color):
    side = max(image.size)
    canvas = Image.new("RGB", (side, side), tuple(color))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas


def center_crop(pixels, size):
    height, width = pixels.shape[:2]
    top, left = (height - size) // 2, (width - size) // 2
    if top >= 0 and left >= 0:
        return pixels[top : top + size, left : left + size]
    new_height, new_width = max(size, height), max(size, width)
    canvas = numpy.zeros((new_height, new_width, 3), pixels.dtype)
    top_pad, left_pad = math.ceil((new_height - height) / 2), math.ceil((new_width - width) / 2)
    canvas[top_pad : top_pad + height, left_pad : left_pad + width] = pixels
    top, left = top + top_pad, left + left_pad
    return canvas[max(0, top) : min(new_height, top + size), max(0, left) : min(new_width, left + size)]


def preprocessed(image, mode, resample, size, resize_to=None, resize=True, pad_color=(0, 0, 0)):
    if mode == "pad":
        image = padded(image, pad_color)
    to = resize_to or size
    if resize and mode == "crop":
        short, long = sorted(image.size)
        long = int(to * long / short)
        image = image.resize((to, long) if image.width <= image.height else (long, to), resample)
    elif resize:
        image = image.resize((to, to), resample)
    return center_crop(numpy.asarray(image), size)


def pixel_values(pixels, rescale_factor=0.00392156862745098, mean=(0, 0, 0), std=(1, 1, 1)):
    values = (pixels.astype(numpy.float64) * rescale_factor).astype(numpy.float32)
    values = (values - numpy.array(mean, numpy.float32)) / numpy.array(std, numpy.float32)
    return values.transpose(2, 0, 1)


def sha256(array):
    return hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).hexdigest()


def main():
    pixels, values = [], []
    for file in PICTURES:
        image = Image.open(HERE / file).convert("RGB")
        for number, resample in enumerate(FILTERS):
            for mode in ("pad", "crop", "stretch"):
                for way in WAYS:
                    if "pad_color" in way and mode != "pad":
                        continue
                    if way.get("resize") is False and resample != "bicubic":
                        continue
                    made = preprocessed(image, mode, number, **way)
                    pixels.append({"file": file, "mode": mode, "resample": resample, **way, "sha256": sha256(made)})
    image = preprocessed(Image.open(HERE / "input/coffee.png").convert("RGB"), "crop", 3, 64)
    for way in VALUES:
        values.append({**way, "sha256": sha256(pixel_values(image, **way))})
    lines = lambda rows: "[\n  " + ",\n  ".join(json.dumps(row) for row in rows) + "\n ]"
    text = '{\n "file": "input/coffee.png",\n "pixels": %s,\n "values": %s\n}\n' % (lines(pixels), lines(values))
    (HERE / "resampling_cases.json").write_text(text)
    print(len(pixels), len(values))


main()
