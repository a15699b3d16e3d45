#!/usr/bin/env python3
"""Writes edge/*.png, edge/*.jpg and edge_cases.json: small pictures of unusual kinds and what Pillow makes of them.

    pip install pillow; python3 make_edge_cases.py

Everything is made up here from numbers. Decoded means upright (EXIF applied) and RGB.
"""

import hashlib
import io
import json
import pathlib
import struct
import zlib

from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 37, 23


def sample(mode="RGB", width=WIDTH, height=HEIGHT):
    bands = len(Image.new(mode, (1, 1)).getbands())
    values = bytearray()
    for y in range(height):
        for x in range(width):
            for band in range(bands):
                values.append((x * (5 + 2 * band) + y * (9 - band) + (x // 6 + y // 5) % 2 * 90) % 256)
    return Image.frombytes(mode, (width, height), bytes(values))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(depth, color, rows, width, extra=b"", after=b"", interlace=0):
    raw = b"".join(b"\0" + row for row in rows)
    header = struct.pack(">IIBBBBB", width, len(rows), depth, color, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw)) + after
        + chunk(b"IEND", b"")
    )


def adam7(image, depth=8, color=2, stored=bytes):
    """An interlaced PNG, of RGB unless told."""
    raw = b""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    for x0, y0, dx, dy in passes:
        for y in range(y0, image.height, dy):
            raw += b"\0" + b"".join(stored(image.getpixel((x, y))) for x in range(x0, image.width, dx))
    header = struct.pack(">IIBBBBB", image.width, image.height, depth, color, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def exif(orientation, order="<", kind=3):
    value = struct.pack(order + {1: "Bxxx", 3: "Hxx", 4: "I"}[kind], orientation)
    head = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(order + "HHI", 0x0100, 4, 1) + struct.pack(order + "I", 5)
    entries += struct.pack(order + "HHI", 0x0112, kind, 1) + value
    return head + struct.pack(order + "IH", 8, 2) + entries + struct.pack(order + "I", 0)


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85, **options)
    return out.getvalue()


def without_adobe_marker(data):
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0] :]


def with_luma_sampling(data, sampling):
    at = data.index(b"\xff\xc0")
    return data[: at + 11] + bytes([sampling]) + data[at + 12 :]


def pictures():
    wide = struct.pack(">8H", 0, 100, 255, 256, 0x7FFF, 0x80FF, 40000, 65535)
    palette = chunk(b"PLTE", bytes([1, 2, 3, 40, 50, 60]))
    yield "grey1.png", png(1, 0, [b"\xa5\x80", b"\x3c\x00"], 9)
    yield "grey2.png", png(2, 0, [b"\x1b\xc0", b"\xe4\x40"], 5)
    yield "grey4.png", png(4, 0, [b"\x01\x23\x40", b"\xfe\xdc\xb0"], 5)
    yield "grey8_transparent.png", png(8, 0, [bytes(range(0, 250, 50))], 5, chunk(b"tRNS", struct.pack(">H", 50)))
    yield "grey16.png", png(16, 0, [wide], 8)
    yield "grey16_transparent.png", png(16, 0, [wide], 8, chunk(b"tRNS", struct.pack(">H", 100)))
    deep = Image.frombytes("I;16", (9, 9), struct.pack("<81H", *range(0, 810, 10)))
    yield "grey16_interlaced.png", adam7(deep, 16, 0, lambda value: struct.pack(">H", value))
    yield "grey_alpha16.png", png(16, 4, [wide], 4)
    yield "rgb16.png", png(16, 2, [wide[:12]], 2)
    yield "rgba16.png", png(16, 6, [wide], 2)
    yield "rgb_transparent.png", png(8, 2, [bytes(range(12))], 4, chunk(b"tRNS", struct.pack(">3H", 3, 4, 5)))
    yield "palette1.png", png(1, 3, [b"\xa5\x80"], 9, palette)
    yield "palette4_transparent.png", png(4, 3, [b"\x01\x10\x10"], 5, palette + chunk(b"tRNS", b"\0\x80"))
    yield "palette8_beyond_its_end.png", png(8, 3, [bytes([0, 1, 2, 255])], 4, palette)
    yield "gamma.png", png(8, 2, [bytes(range(0, 240, 20))], 4, chunk(b"gAMA", struct.pack(">I", 100000)))
    yield "interlaced.png", adam7(sample())
    yield "exif6.png", png(8, 2, [bytes(range(12)), bytes(range(100, 112))], 4, chunk(b"eXIf", exif(6, ">")))
    yield "exif3_at_the_end.png", png(8, 2, [bytes(range(12))], 4, after=chunk(b"eXIf", exif(3)))
    yield "without_end.png", png(8, 0, [bytes(range(8))], 8)[:-12]
    yield "tall.jpg", jpeg(sample(width=100, height=300))
    yield "grey.jpg", jpeg(sample("L"))
    yield "sampling_420.jpg", jpeg(sample(), subsampling="4:2:0")
    yield "sampling_422.jpg", jpeg(sample(), subsampling="4:2:2")
    # A square of 32 pixels has as many blocks after the change, so the data stay valid (and show another picture).
    square = sample(width=32, height=32)
    yield "sampling_440.jpg", with_luma_sampling(jpeg(square, subsampling="4:2:2"), 0x12)
    yield "sampling_411.jpg", with_luma_sampling(jpeg(square, subsampling="4:2:0"), 0x41)
    yield "restarts.jpg", jpeg(sample(), restart_marker_blocks=2)
    yield "progressive_grey.jpg", jpeg(sample("L"), progressive=True)
    yield "rgb_not_ycbcr.jpg", jpeg(sample(), keep_rgb=True)
    yield "cmyk.jpg", jpeg(sample("CMYK"))
    yield "cmyk_progressive.jpg", jpeg(sample("CMYK"), progressive=True)
    yield "cmyk_without_adobe.jpg", without_adobe_marker(jpeg(sample("CMYK")))
    for orientation in range(1, 9):
        yield f"exif{orientation}.jpg", jpeg(sample(), exif=b"Exif\0\0" + exif(orientation))
    yield "exif8_big_endian.jpg", jpeg(sample(), exif=b"Exif\0\0" + exif(8, ">", 4))
    yield "exif9.jpg", jpeg(sample(), exif=b"Exif\0\0" + exif(9))
    yield "exif_cut_off.jpg", jpeg(sample(), exif=b"Exif\0\0" + exif(6)[:14])


def decoded(data):
    image = Image.open(io.BytesIO(data))
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block
        pass
    return image.convert("RGB")


def main():
    (HERE / "edge").mkdir(exist_ok=True)
    cases = []
    for name, data in pictures():
        (HERE / "edge" / name).write_bytes(data)
        image = decoded(data)
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        cases.append({"file": name, "width": image.width, "height": image.height, "rgb_sha256": digest})
    (HERE / "edge_cases.json").write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
