"""Pictures through allm-media: what it sees is what Pillow sees, what it writes Pillow reads, and what a hostile file
does to it stays in it."""
import io
import json
import random
import struct
import subprocess
import zlib

import allm
import pytest

Image = pytest.importorskip("PIL.Image", reason="needs Pillow as the other opinion")
from PIL import ImageChops, ImageOps  # noqa: E402

PROBE = allm.BUILD / "tests/unit/media/image-probe"
MEDIA = allm.BUILD / "allm-media"
SOUND = allm.ROOT / "tests/data/media"
SANITIZED = "asan" in allm.BUILD.name or "tsan" in allm.BUILD.name
SEVERAL = 12 if SANITIZED else 40  # mutations of each file


def probe(*arguments, given=None):
    """(exit status, standard output, what standard error says as JSON)"""
    done = subprocess.run([PROBE, MEDIA, *map(str, arguments)], input=given, capture_output=True, timeout=120)
    lines = done.stderr.decode().strip().splitlines()
    return done.returncode, done.stdout, json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}


def read(path, *want):
    status, pixels, said = probe("read", path, *want)
    assert status == 0, (path, said)
    size = said["width"], said["height"]
    rgb = Image.frombytes("RGB", size, pixels[:3 * size[0] * size[1]])
    if not said["alpha"]:
        assert len(pixels) == 3 * size[0] * size[1]
        return rgb
    rgb.putalpha(Image.frombytes("L", size, pixels[3 * size[0] * size[1]:]))
    return rgb


def refused(path, *want):
    status, pixels, said = probe("read", path, *want)
    assert status == 1 and pixels == b"", (path, status, said)
    assert said["code"] == "INVALID_REQUEST", said
    return said["reason"]


def write(picture, form, quality=100):
    has_alpha = picture.mode == "RGBA"
    given = picture.convert("RGB").tobytes() + (picture.getchannel("A").tobytes() if has_alpha else b"")
    status, data, said = probe("write", form, quality, *picture.size, int(has_alpha), given=given)
    assert status == 0, said
    return data


def worst(ours, theirs):
    assert ours.size == theirs.size and ours.mode == theirs.mode, (ours.size, ours.mode, theirs.size, theirs.mode)
    return max(band.getextrema()[1] for band in ImageChops.difference(ours, theirs).split())


def seen(picture):
    ground = Image.new("RGBA", picture.size)
    ground.alpha_composite(picture)
    return ground


def mean(ours, theirs):
    assert ours.size == theirs.size and ours.mode == theirs.mode
    difference = ImageChops.difference(ours, theirs).tobytes()
    return sum(difference) / len(difference)


def smooth(size=(67, 45), mode="RGB"):
    """Soft colours, different in every corner: what is turned, swapped or cut off wrongly shows."""
    w, h = size
    bands = [Image.new("L", size) for _ in mode]
    for i, band in enumerate(bands):
        band.putdata([30 * i + (150 - 30 * i) * x // w + (i + 1) * 15 * y // h for y in range(h) for x in range(w)])
    return Image.merge(mode, bands) if len(bands) > 1 else bands[0]


def noise(size=(61, 43), mode="RGB", seed=1):
    return Image.frombytes(mode, size, random.Random(seed).randbytes(size[0] * size[1] * len(mode)))


def saved(picture, form, **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def png(width, height, depth, color, data, *chunks, interlace=0):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunk(*c) for c in chunks) + chunk(
        b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def deep(channels, color, size=(31, 23)):
    """A PNG of 16 bits a channel and what it should look like."""
    w, h = size
    values = [(x * 2111 + y * 1999 + c * 20011) % 65536 for y in range(h) for x in range(w) for c in range(channels)]
    rows = [b"\0" + struct.pack(f">{w * channels}H", *values[y * w * channels:(y + 1) * w * channels]) for y in range(h)]
    flat = bytes((v * 255 + 32767) // 65535 for v in values)
    return png(w, h, 16, color, b"".join(rows)), Image.frombytes({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels], size, flat)


EXACT = {
    "rgb.png": lambda: (noise(), "PNG", {}),
    "rgba.png": lambda: (noise(mode="RGBA"), "PNG", {}),
    "grey.png": lambda: (noise(mode="L"), "PNG", {}),
    "grey-alpha.png": lambda: (noise(mode="LA"), "PNG", {}),
    "palette.png": lambda: (noise().quantize(37), "PNG", {}),
    "palette-alpha.png": lambda: (noise().quantize(37), "PNG", {"transparency": 5}),
    "palette-4.png": lambda: (noise().quantize(13), "PNG", {"bits": 4}),
    "key.png": lambda: (Image.new("RGB", (9, 7), (1, 2, 3)), "PNG", {"transparency": (1, 2, 3)}),
    "bits.png": lambda: (noise(mode="L").convert("1"), "PNG", {}),
    "one.png": lambda: (noise((1, 1)), "PNG", {}),
    "thin.png": lambda: (noise((1, 300)), "PNG", {}),
    "animated.png": lambda: (noise(seed=3), "PNG", {"save_all": True, "append_images": [noise(seed=4)]}),
    "rgb.bmp": lambda: (noise(), "BMP", {}),
    "grey.bmp": lambda: (noise(mode="L"), "BMP", {}),
    "palette.bmp": lambda: (noise().quantize(37), "BMP", {}),
    "bits.bmp": lambda: (noise(mode="L").convert("1"), "BMP", {}),
    "still.gif": lambda: (noise().quantize(99), "GIF", {}),
    "clear.gif": lambda: (noise().quantize(99), "GIF", {"transparency": 7}),
    "moving.gif": lambda: (noise().quantize(99), "GIF", {"save_all": True, "append_images": [noise(seed=2).quantize(99)]}),
    "grey.gif": lambda: (noise(mode="L"), "GIF", {}),
    "raw.tiff": lambda: (noise(), "TIFF", {}),
    "lzw.tiff": lambda: (noise(), "TIFF", {"compression": "tiff_lzw"}),
    "deflate.tiff": lambda: (noise(mode="RGBA"), "TIFF", {"compression": "tiff_adobe_deflate"}),
    "packbits.tiff": lambda: (noise(), "TIFF", {"compression": "packbits"}),
    "grey.tiff": lambda: (noise(mode="L"), "TIFF", {}),
    "palette.tiff": lambda: (noise().quantize(37), "TIFF", {}),
    "bits.tiff": lambda: (noise(mode="L").convert("1"), "TIFF", {}),
    "lossless.webp": lambda: (noise(), "WEBP", {"lossless": True}),
    "lossless-alpha.webp": lambda: (smooth(mode="RGBA"), "WEBP", {"lossless": True, "exact": True}),
}
CLOSE = {  # name: the picture, its format and options, the worst and the mean difference to what Pillow makes of it
    "444.jpg": (lambda: noise(), "JPEG", {"quality": 95, "subsampling": 0}, 3, 0.3),
    "420.jpg": (lambda: smooth(), "JPEG", {"quality": 90, "subsampling": 2}, 4, 0.7),
    "422.jpg": (lambda: smooth(), "JPEG", {"quality": 90, "subsampling": 1}, 4, 0.7),
    "progressive.jpg": (lambda: noise(), "JPEG", {"quality": 85, "subsampling": 0, "progressive": True}, 3, 0.3),
    "grey.jpg": (lambda: noise(mode="L"), "JPEG", {"quality": 90}, 1, 0.1),
    "restarts.jpg": (lambda: noise(), "JPEG", {"quality": 80, "subsampling": 0, "restart_marker_rows": 1}, 2, 0.3),
    "cmyk.jpg": (lambda: smooth(mode="CMYK"), "JPEG", {"quality": 95, "subsampling": 0}, 4, 1),
    "lossy.webp": (lambda: smooth(), "WEBP", {"quality": 80}, 4, 1.2),
    "lossy-alpha.webp": (lambda: smooth(mode="RGBA"), "WEBP", {"quality": 80}, 4, 1.2),
}


def as_we_do(picture):
    """In RGB, with alpha where the file has any that is not full."""
    picture = picture.convert("RGBA")
    return picture if picture.getchannel("A").getextrema()[0] < 255 else picture.convert("RGB")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pictures")
    for name, make in EXACT.items():
        picture, form, options = make()
        (directory / name).write_bytes(saved(picture, form, **options))
    for name, (make, form, options, *_) in CLOSE.items():
        (directory / name).write_bytes(saved(make(), form, **options))
    return directory


# --- in ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXACT)
def test_sees_exactly_what_pillow_sees(files, name):
    theirs = as_we_do(Image.open(files / name))
    ours = read(files / name)
    if name == "clear.gif":  # whose colours, where nothing is to be seen, are nobody's business
        ours, theirs = seen(ours), seen(theirs)
    assert worst(ours, theirs) == 0


@pytest.mark.parametrize("name", CLOSE)
def test_sees_nearly_what_pillow_sees(files, name):
    *_, most, average = CLOSE[name]
    ours, theirs = read(files / name), as_we_do(Image.open(files / name))
    assert worst(ours, theirs) <= most and mean(ours, theirs) <= average, (worst(ours, theirs), mean(ours, theirs))


@pytest.mark.parametrize("channels, color", [(1, 0), (3, 2), (2, 4), (4, 6)])
def test_sixteen_bits(tmp_path, channels, color):
    data, expected = deep(channels, color)
    (tmp_path / "deep.png").write_bytes(data)
    assert worst(read(tmp_path / "deep.png"), as_we_do(expected)) == 0


def test_interlaced_png(tmp_path):
    picture = noise((19, 13))
    rows = bytearray()
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        for y in range(y0, 13, dy):
            rows += b"\0" + b"".join(bytes(picture.getpixel((x, y))) for x in range(x0, 19, dx))
    (tmp_path / "interlaced.png").write_bytes(png(19, 13, 8, 2, bytes(rows), interlace=1))
    assert worst(read(tmp_path / "interlaced.png"), picture) == 0


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_stands_upright(tmp_path, orientation, form):
    picture = smooth()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "PNG": {}, "WEBP": {"lossless": True}}[form]
    (tmp_path / "turned").write_bytes(saved(picture, form, exif=exif, **options))
    theirs = ImageOps.exif_transpose(Image.open(tmp_path / "turned")).convert("RGB")
    assert worst(read(tmp_path / "turned"), theirs) <= 2


def test_scales_and_cuts(tmp_path):
    picture = smooth((300, 200))
    (tmp_path / "wide.png").write_bytes(saved(picture, "PNG"))
    ours = read(tmp_path / "wide.png", 0, 64, 64)  # the middle 200 x 200
    theirs = picture.crop((50, 0, 250, 200)).resize((64, 64), Image.Resampling.BICUBIC)
    assert worst(ours, theirs) <= 2 and mean(ours, theirs) < 0.5
    ours = read(tmp_path / "wide.png", 0, 600, 200)
    theirs = picture.crop((0, 50, 300, 150)).resize((600, 200), Image.Resampling.BICUBIC)
    assert worst(ours, theirs) <= 4 and mean(ours, theirs) < 0.5
    tall = Image.Exif()
    tall[0x0112] = 6
    (tmp_path / "tall.jpg").write_bytes(saved(picture, "JPEG", quality=98, subsampling=0, exif=tall))
    ours = read(tmp_path / "tall.jpg", 0, 100, 150)
    theirs = picture.transpose(Image.Transpose.ROTATE_270).resize((100, 150), Image.Resampling.BICUBIC)
    assert worst(ours, theirs) <= 3
    see_through = noise((128, 128), "RGBA")
    (tmp_path / "alpha.png").write_bytes(saved(see_through, "PNG"))
    assert read(tmp_path / "alpha.png", 0, 40, 24).mode == "RGBA"
    (tmp_path / "ribbon.png").write_bytes(saved(smooth((9000, 6)), "PNG"))
    assert read(tmp_path / "ribbon.png", 0, 8, 8).size == (8, 8)
    (tmp_path / "long.png").write_bytes(saved(smooth((9000, 2)), "PNG"))
    assert read(tmp_path / "long.png", 0, 16, 512).size == (16, 512)


# --- out --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("size", [(64, 48), (1, 1), (17, 301)])
def test_writes_png_exactly(mode, size):
    picture = noise(size, mode)
    theirs = Image.open(io.BytesIO(write(picture, "png")))
    assert theirs.format == "PNG" and worst(theirs, picture) == 0


def test_writes_webp_without_loss():
    picture = noise((64, 48))
    theirs = Image.open(io.BytesIO(write(picture, "webp")))
    assert theirs.format == "WEBP" and worst(theirs.convert("RGB"), picture) == 0
    clear = smooth((64, 48), "RGBA")
    theirs = Image.open(io.BytesIO(write(clear, "webp"))).convert("RGBA")
    assert worst(theirs.getchannel("A"), clear.getchannel("A")) == 0
    assert worst(seen(clear), seen(theirs)) == 0


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_quality_counts(form):
    picture = Image.blend(smooth((160, 120)), noise((160, 120)), 0.1)
    sizes, losses = [], []
    for quality in (5, 40, 75, 95):
        data = write(picture, form, quality)
        theirs = Image.open(io.BytesIO(data))
        assert theirs.format == form.upper() and theirs.size == picture.size
        sizes.append(len(data))
        losses.append(mean(theirs.convert("RGB"), picture))
    assert sizes == sorted(sizes) and losses == sorted(losses, reverse=True), (sizes, losses)
    assert losses[-1] < 6


def test_jpeg_is_as_good_as_pillows():
    picture = Image.blend(smooth((160, 120)), noise((160, 120)), 0.1)
    for quality, subsampling in ((75, 2), (95, 0)):
        data, other = write(picture, "jpeg", quality), saved(picture, "JPEG", quality=quality, subsampling=subsampling)
        loss, theirs = (mean(Image.open(io.BytesIO(x)).convert("RGB"), picture) for x in (data, other))
        assert loss < theirs * 1.1 + 0.2 and len(data) < len(other) * 1.2, (quality, loss, theirs, len(data), len(other))


def test_jpeg_at_its_best(tmp_path):
    picture = smooth((160, 120))
    data = write(picture, "jpeg", 100)
    assert worst(Image.open(io.BytesIO(data)), picture) <= 5
    (tmp_path / "ours.jpg").write_bytes(data)
    assert worst(read(tmp_path / "ours.jpg"), picture) <= 5


def test_jpeg_has_no_alpha():
    assert Image.open(io.BytesIO(write(noise((32, 32), "RGBA"), "jpeg", 90))).mode == "RGB"


# --- hostile ----------------------------------------------------------------------------------------------------------

SAMPLES = ["rgb.png", "palette-alpha.png", "444.jpg", "progressive.jpg", "cmyk.jpg", "lossy-alpha.webp", "lossless.webp",
           "moving.gif", "rgb.bmp", "lzw.tiff"]


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_off(files, name, tmp_path):
    data = (files / name).read_bytes()
    # A GIF's first frame may be whole; what follows the last byte of a bitmap's pixels or a TIFF's is nobody's loss.
    for i in range(1, 16):
        (tmp_path / "cut").write_bytes(data[:len(data) * i // 16])
        status, _, said = probe("read", tmp_path / "cut")
        if name == "moving.gif" and status == 0:
            continue
        assert status == 1 and said["code"] == "INVALID_REQUEST", (name, i, said)
        assert said["reason"] in ("corrupt_media", "unknown_media"), said


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged(files, name, tmp_path):
    data, rng = (files / name).read_bytes(), random.Random(name)
    for _ in range(SEVERAL):
        bad = bytearray(data)
        for _ in range(rng.choice((1, 3, 20, 300))):
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        (tmp_path / "bad").write_bytes(bad)
        status, pixels, said = probe("read", tmp_path / "bad", 1_000_000, 0, 0)
        assert status in (0, 1), (name, status, said)
        if status == 1:
            assert said["code"] == "INVALID_REQUEST" and said["reason"] in (
                "corrupt_media", "unknown_media", "image_too_large"), said
        else:
            assert len(pixels) == said["width"] * said["height"] * (4 if said["alpha"] else 3) <= 4_000_000


def patched(data, at, form, *values):
    return data[:at] + struct.pack(form, *values) + data[at + struct.calcsize(form):]


def test_absurd_sizes(files, tmp_path):
    jpeg, webp = (files / "444.jpg").read_bytes(), (files / "lossless.webp").read_bytes()
    frame = jpeg.index(b"\xff\xc0") + 5
    tiff = (files / "raw.tiff").read_bytes()
    big = {
        "65535.png": png(65535, 65535, 8, 2, b"\0" * 1000),
        "most.png": png(2**31 - 1, 2**31 - 1, 8, 2, b"\0" * 1000),
        "wide.png": png(2**31 - 1, 1, 8, 2, b"\0" * 1000),
        "huge.gif": patched((files / "still.gif").read_bytes(), 6, "<HH", 65535, 65535),
        "huge.bmp": patched((files / "rgb.bmp").read_bytes(), 18, "<ii", 2**31 - 1, -2**31),
        "huge.jpg": patched(jpeg, frame, ">HH", 65535, 65535),
        "huge.webp": patched(webp, 21, "<I", struct.unpack_from("<I", webp, 21)[0] | 0x0FFFFFFF),
        "huge.tiff": tiff.replace(struct.pack("<HHII", 256, 4, 1, 61), struct.pack("<HHII", 256, 4, 1, 2**31)),
    }
    assert big["huge.tiff"] != tiff
    for name, data in big.items():
        (tmp_path / name).write_bytes(data)
        assert refused(tmp_path / name) == "image_too_large", name
    (tmp_path / "none.png").write_bytes(png(0, 5, 8, 2, b""))
    assert refused(tmp_path / "none.png") == "corrupt_media"
    for name in SAMPLES:
        assert refused(files / name, 500, 0, 0) == "image_too_large", name
        assert read(files / name, 67 * 45, 0, 0).size[0] > 50


@pytest.mark.parametrize("kind", ["pixels", "profile", "text"])
def test_bombs(tmp_path, kind):
    """Little that becomes very much."""
    squeezed = zlib.compress(b"\0" * (300 << 20), 9)
    if kind == "pixels":
        data = png(8000, 8000, 8, 6, b"\0" * (8000 * 32001))
        (tmp_path / "bomb.png").write_bytes(data)
        assert refused(tmp_path / "bomb.png", 1_000_000, 0, 0) == "image_too_large"
        assert read(tmp_path / "bomb.png", 0, 16, 16).mode == "RGBA"  # 64 million: all of it, where that is allowed
        return
    chunk = (b"iCCP", b"x\0\0" + squeezed) if kind == "profile" else (b"zTXt", b"x\0\0" + squeezed)
    (tmp_path / "bomb.png").write_bytes(png(4, 4, 8, 2, (b"\0" + b"\1" * 12) * 4, chunk))
    status, _, said = probe("read", tmp_path / "bomb.png", 1_000_000, 0, 0)
    assert status == 0 or said["reason"] in ("corrupt_media", "image_too_large"), said
    if status == 0 and not SANITIZED:
        assert said["child_kib"] < 700 << 10


def test_no_pictures(files, tmp_path):
    strangers = {
        "text": b"Not a picture at all, but " * 20,
        "bm": b"BM is how a bitmap starts, and a sentence about one " * 9,
        "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="/etc/passwd"/></svg>',
        "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n",
        "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "ppm": b"P6 2 2 255\n" + bytes(12),
        "wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        "one": b"\x89",
        "noughts": bytes(5000),
        "mp3": (SOUND / "tone.mp3").read_bytes(),
        "mp4": (SOUND / "video.mp4").read_bytes(),
    }
    for name, data in strangers.items():
        (tmp_path / name).write_bytes(data)
        assert refused(tmp_path / name) == "unknown_media", name
    (tmp_path / "jpeg.tiff").write_bytes(saved(noise(), "TIFF", compression="jpeg"))
    assert refused(tmp_path / "jpeg.tiff") == "unknown_media"
    (tmp_path / "empty").write_bytes(b"")
    assert refused(tmp_path / "empty") == "empty_file"
    for magic in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a", b"II*\0", b"MM\0*"):
        (tmp_path / "magic").write_bytes(magic)
        assert refused(tmp_path / "magic") == "corrupt_media", magic
    raw = saved(noise(), "PNG")
    (tmp_path / "png-in-jpeg.jpg").write_bytes(raw)  # what it is called counts for nothing
    assert read(tmp_path / "png-in-jpeg.jpg").size == (61, 43)


def test_bad_orders():
    for form, quality, width, height in (("png", 101, 4, 4), ("png", 50, 0, 4), ("webp", 50, 16384, 1), ("gif", 50, 4, 4),
                                         ("png", 50, 65535, 65535)):
        if width * height > 1 << 20:
            continue
        status, data, said = probe("write", form, quality, width, height, 0, given=bytes(3 * width * height))
        assert status == 1 and said["code"] == "INVALID_REQUEST" and data == b"", (form, said)
