"""From a file to pixels of the network's input size, once for a whole training.

Decoding and resizing an image costs ten times what the rest of the way to a batch does, and every
epoch repeats it. So a training keeps what it read: one file of uint8 pixels, mapped into memory and
shared by all processes and by every later training on the same images at the same size.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import shutil
from collections.abc import Sequence
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.io import decode_image
from torchvision.transforms.v2.functional import pil_to_tensor, resize
from tqdm import tqdm

from capnet.files import replacing
from capnet.machine import cores_per_process
from capnet.records import Record

Bytes = NDArray[np.uint8]
log = logging.getLogger(__name__)


class FilePixels:
    """Pixels of images, read from their files whenever they are asked for."""

    def __init__(self, records: Sequence[Record], root: Path, height: int, width: int) -> None:
        self.records, self.root, self.size = records, root, (height, width)

    def __getitem__(self, places: list[int]) -> Bytes:
        """Return the images at some places: (B, 3, H, W) uint8, RGB. OSError names a bad file."""
        images = np.empty((len(places), 3, *self.size), dtype=np.uint8)
        # np.stack would keep the decoder's order in memory, colours last: three times as slow to
        # augment as this copy, colours first as in what is kept.
        for image, place in zip(images, places, strict=True):
            image[...] = self.one(self.records[place])
        return images

    def one(self, record: Record) -> Bytes:
        """Return one image (3, H, W): bilinear, antialiased, in whole numbers (R21)."""
        pixels = resize(read_rgb(self.root / record.path), list(self.size))
        image: Bytes = pixels.numpy()
        return image


def kept_pixels(files: FilePixels, folder: Path) -> FilePixels | Bytes:
    """Return what `files` gives as a read-only map (N, 3, H, W) of a file in `folder`.

    The file is made by the first process that needs it, while the others wait, and is named by the
    images' content and size: another state of the data gets another file. It may be deleted at any
    time. Where it would take more than half of the free space, `files` comes back as it is.
    """
    shape = (len(files.records), 3, *files.size)
    content = [str(shape), *(record.digest for record in files.records)]
    path = folder / f"{hashlib.sha256(chr(10).join(content).encode()).hexdigest()[:20]}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for half in folder.glob(".*.tmp"):  # of a process that was killed
            half.unlink()
        if not path.is_file():
            needed, free = int(np.prod(shape)), shutil.disk_usage(folder).free
            if needed > free / 2:
                log.warning(
                    "%s: keeping %.1f GB of pixels needs twice that free, %.1f GB are; reading "
                    "every image again in each epoch",
                    *(folder, needed / 1e9, free / 1e9),
                )
                return files
            _keep(files, shape, path)
    kept: Bytes = np.load(path, mmap_mode="r")
    return kept


def read_rgb(path: Path) -> Tensor:
    """Read an 8-bit image of any kind as RGB (3, h, w) uint8, as Pillow converts it.

    Grey is repeated, a palette or CMYK is looked up, alpha is dropped. EXIF orientation is not
    applied: the benchmarks' crops are stored upright, and published numbers come from the pixels as
    stored. OSError names a file that cannot be read and says to prepare the data set again.
    """
    try:
        if path.suffix.lower() in (".jpg", ".jpeg"):
            pixels: Tensor = decode_image(
                str(path)
            )  # the same library as Pillow's, without its overhead
            if pixels.ndim == 3 and len(pixels) in (1, 3):  # not CMYK, not frames
                return pixels.expand(3, -1, -1)
        with Image.open(path) as image:
            pixels = pil_to_tensor(rgb(image))
        return pixels
    except (OSError, RuntimeError, SyntaxError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise OSError(
            f"{path}: cannot be read ({reason}), though it could when the data set was prepared; "
            "`dvc repro --force prepare` checks every image again"
        ) from error


def rgb(image: Image.Image) -> Image.Image:
    """Convert an 8-bit image of any mode to RGB."""
    if image.mode in ("P", "PA"):  # Pillow warns of a palette's transparency without this step
        image = image.convert("RGBA")
    return image.convert("RGB")


def _keep(files: FilePixels, shape: tuple[int, ...], path: Path) -> None:
    with replacing(path) as temporary:
        array = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        with ThreadPool(cores_per_process()) as pool:  # Pillow releases the interpreter's lock
            images = pool.imap(files.one, files.records)
            named = tqdm(images, "reading images", len(array), unit="image", disable=None)
            for place, image in enumerate(named):
                array[place] = image
