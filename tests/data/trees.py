"""Small good trees of images in each benchmark's layout, and ways to damage them."""

import io
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from capnet.records import Record

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
FILES = {
    "market": [
        f"{TRAIN}/0002_c1s1_000001_01.jpg",
        f"{TRAIN}/0002_c2s1_000002_01.jpg",
        f"{TRAIN}/0009_c1s1_000003_01.jpg",
        f"{QUERY}/0004_c1s1_000001_00.jpg",
        f"{QUERY}/0005_c1s1_000001_00.jpg",
        f"{GALLERY}/-1_c3s1_000001_01.jpg",
        f"{GALLERY}/0000_c2s1_000001_01.jpg",
        f"{GALLERY}/0004_c2s1_000001_01.jpg",
        f"{GALLERY}/0005_c2s1_000001_01.jpg",
    ],
    "duke": [
        f"{TRAIN}/0001_c2_f0046182.jpg",
        f"{TRAIN}/0003_c1_f0046182.jpg",
        f"{QUERY}/0005_c8_f0046985.jpg",
        f"{GALLERY}/0005_c1_f0056001.jpg",
    ],
    "cuhk03_np": [
        f"{TRAIN}/0001_c1_1.png",
        f"{TRAIN}/0002_c2_6.png",
        f"{QUERY}/0003_c1_1.png",
        f"{GALLERY}/0003_c2_6.png",
    ],
    "msmt17": [
        "train/0000/0000_000_01_0303morning_0015_0.jpg",
        "train/0001/0001_000_02_0303morning_0015_0.jpg",
        "test/0000/0000_000_01_0303morning_0016_0.jpg",
        "test/0000/0000_000_02_0303morning_0017_0.jpg",
    ],
}
LISTS = dict(zip(("train", "val", "query", "gallery"), FILES["msmt17"], strict=True))


def plant(root, layout):
    """Write a layout's tree: every image another one."""
    for name in FILES[layout]:
        put(name)(root)
    for name, path in LISTS.items() if layout == "msmt17" else ():
        _, person, file = path.split("/")
        put_text(f"list_{name}.txt", f"{person}/{file} {int(person)}\n")(root)


def record(split, pid, camid, name=""):
    """Return an entry of a manifest, of an image that need not exist."""
    return Record(f"{split}/{pid}_{camid}{name}.jpg", pid, camid, split, -1, "")


def picture(seed="", size=(16, 32), mode="RGB", form="jpeg", **options):
    """Return a file's bytes: noise that the seed decides."""
    chance = np.random.default_rng(zlib.crc32(str(seed).encode("utf-8", "surrogateescape")))
    pixels = chance.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, form, **options)
    return file.getvalue()


def huge(width, height):
    """Return a PNG of 70 bytes that claims so many pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


# Each returns what changes the tree below a root.


def put(name, content=None):
    def change(root):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        form = "png" if path.suffix == ".png" else "jpeg"
        path.write_bytes(picture(name, form=form) if content is None else content)

    return change


def put_text(name, text):
    return put(name, text.encode())


def cut(name, end):
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:end])


def flip(name, at):
    def change(root):
        content = bytearray((root / name).read_bytes())
        content[at] ^= 0xFF
        (root / name).write_bytes(content)

    return change


def remove(name):
    def change(root):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def move(name, to):
    def change(root):
        (root / to).parent.mkdir(parents=True, exist_ok=True)
        (root / name).rename(root / to)

    return change


def copy(name, to):
    return lambda root: shutil.copyfile(root / name, root / to)


def link(name, target):
    """Put what lies there beside the root if it is there, and leave a link to it."""

    def change(root):
        outside = root.parent / target
        if (root / name).exists():
            (root / name).rename(outside)
        (root / name).symlink_to(os.path.relpath(outside, (root / name).parent))

    return change


def mkdir(name):
    return lambda root: (root / name).mkdir(parents=True)


def both(*changes):
    def change(root: Path):
        for step in changes:
            step(root)

    return change
