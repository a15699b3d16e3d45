#!/usr/bin/env python3
"""Writes formats/* and format_cases.json: small pictures in formats other than JPEG and PNG, and what Pillow makes of them.

    pip install pillow pillow-heif; python3 make_format_cases.py

Everything is made up here from numbers. Decoded means upright and RGB. HEIC and AVIF go through another decoder than Pillow's, so
their pixels are stored to be compared with a tolerance.
"""

import hashlib
import io
import json
import pathlib
import struct

import pillow_heif
from make_edge_cases import exif, jpeg, sample
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
HERE = pathlib.Path(__file__).parent
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def bmp(bits, rows, width, height=None, palette=b"", compression=0, masks=b"", colors=0):
    height = height or len(rows)
    body = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    at = 14 + 40 + len(masks) + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, colors, 0)
    return b"BM" + struct.pack("<IHHI", at + len(body), 0, 0, at) + info + masks + palette + body


def old_bmp(rows, width, palette):
    body = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    at = 14 + 12 + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(body), 0, 0, at) + struct.pack("<IHHHH", 12, width, len(rows), 1, 8) + palette + body


def gif_inside_its_screen(data, width, height, left, top):
    """The same GIF with a larger screen and its first frame elsewhere on it."""
    at = data.index(b"\x2c", 13 + 3 * (2 << (data[10] & 7)))
    screen = data[:6] + struct.pack("<HH", width, height) + data[10:]
    return screen[: at + 1] + struct.pack("<HH", left, top) + screen[at + 5 :]



def pictures():
    picture, grey = sample(), sample("L")
    palette = picture.quantize(64)
    pixel16 = struct.pack("<5H", 0, 0x7FFF, 0x1234, 0x5678, 0x03E0)
    yield "rgb24.bmp", saved(picture, "BMP")
    yield "grey.bmp", saved(grey, "BMP")
    yield "palette.bmp", saved(palette, "BMP")
    yield "bits1.bmp", saved(picture.convert("1"), "BMP")
    yield "rgb32.bmp", saved(sample("RGBA"), "BMP")
    yield "bits4.bmp", bmp(4, [b"\x01\x23\x40", b"\x43\x21\x00"], 5, palette=bytes(range(20)), colors=5)
    yield "rgb555.bmp", bmp(16, [pixel16], 5)
    yield "rgb565.bmp", bmp(16, [pixel16], 5, compression=3, masks=struct.pack("<3I", 0xF800, 0x7E0, 0x1F))
    yield "top_down.bmp", bmp(24, [bytes(range(9)), bytes(range(100, 109))], 3, height=-2)
    yield "os2.bmp", old_bmp([b"\0\1\2", b"\2\1\0"], 3, bytes(range(9)) + bytes(247 * 3))
    yield "palette.gif", saved(palette, "GIF")
    yield "interlaced.gif", saved(palette, "GIF", interlace=1)
    yield "not_interlaced.gif", saved(palette, "GIF", interlace=0)
    yield "grey.gif", saved(grey, "GIF")
    yield "transparent.gif", gif_inside_its_screen(saved(palette, "GIF", transparency=5), 50, 40, 7, 11)
    yield "inside_its_screen.gif", gif_inside_its_screen(saved(palette, "GIF"), 50, 40, 7, 11)
    yield "animated.gif", saved(palette, "GIF", save_all=True, append_images=[sample().rotate(180).quantize(32)], duration=50)
    yield "long_codes.gif", saved(sample(width=150, height=120).quantize(256), "GIF")
    yield "lossy.webp", saved(picture, "WEBP", quality=80)
    yield "lossless.webp", saved(picture, "WEBP", lossless=True)
    yield "alpha.webp", saved(sample("RGBA"), "WEBP", quality=80, exact=True)
    yield "lossless_alpha.webp", saved(sample("RGBA"), "WEBP", lossless=True, exact=True)
    yield "exif6.webp", saved(picture, "WEBP", quality=80, exif=b"Exif\0\0" + exif(6))
    yield "xmp8.webp", saved(picture, "WEBP", quality=80, xmp=XMP % 8)
    yield "exif3_xmp8.webp", saved(picture, "WEBP", quality=80, exif=b"Exif\0\0" + exif(3), xmp=XMP % 8)
    yield "animated.webp", saved(picture, "WEBP", save_all=True, append_images=[picture.rotate(180)], duration=50, lossless=True)
    yield "raw.tif", saved(picture, "TIFF")
    yield "lzw.tif", saved(picture, "TIFF", compression="tiff_lzw")
    yield "deflate.tif", saved(picture, "TIFF", compression="tiff_adobe_deflate")
    yield "jpeg.tif", saved(picture, "TIFF", compression="jpeg")
    yield "grey.tif", saved(grey, "TIFF", compression="packbits")
    yield "grey_alpha.tif", saved(sample("LA"), "TIFF")
    yield "rgba.tif", saved(sample("RGBA"), "TIFF")
    yield "bits1.tif", saved(picture.convert("1"), "TIFF", compression="group4")
    yield "palette.tif", saved(palette, "TIFF")
    for orientation in (3, 6):
        yield f"orientation{orientation}.tif", saved(picture, "TIFF", tiffinfo={274: orientation})
    yield "xmp5.tif", saved(picture, "TIFF", tiffinfo={700: XMP % 5})
    yield "xmp6.jpg", jpeg(picture, xmp=XMP % 6)
    yield "exif1_xmp6.jpg", jpeg(picture, xmp=XMP % 6, exif=b"Exif\0\0" + exif(1))
    yield "xmp7_as_text.jpg", jpeg(picture, xmp=b"<tiff:Orientation>7</tiff:Orientation>")
    yield "xmp9.jpg", jpeg(picture, xmp=XMP % 9)


def near_pictures():
    smooth = sample(width=8, height=6).resize((64, 48), Image.Resampling.BICUBIC)
    yield "smooth.avif", saved(smooth, "AVIF", quality=95, subsampling="4:4:4")
    yield "turned.avif", saved(smooth, "AVIF", quality=95, subsampling="4:4:4", exif=b"Exif\0\0" + exif(6))
    yield "smooth.heic", saved(smooth, "HEIF", quality=95, chroma=444)
    yield "turned.heic", saved(smooth, "HEIF", quality=95, chroma=444, exif=exif(8))


def main():
    (HERE / "formats").mkdir(exist_ok=True)
    exact, near = [], []
    for name, data in pictures():
        (HERE / "formats" / name).write_bytes(data)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        exact.append({"file": name, "width": image.width, "height": image.height, "rgb_sha256": digest})
    for name, data in near_pictures():
        (HERE / "formats" / name).write_bytes(data)
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        image.save(HERE / "formats" / (name + ".expected.png"))
        near.append(name)
    (HERE / "format_cases.json").write_text(json.dumps({"exact": exact, "near": near}, indent=1) + "\n")


main()
