"""Read every image of a data set whole, once, and say what kind of file it is."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError
from tqdm import tqdm

BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class Facts:
    """One file: its SHA-256, its size in pixels, how it holds them, and why it cannot be used.

    `mode` is Pillow's, `transparent` and `rotated` (EXIF) concern what the network will not see:
    alpha is dropped and the orientation not applied. `outside` tells of a link that leaves the
    data set's root. `fault` is the check that fails, unreadable | bombs | deep, and `reason` why;
    both are "" where the image can be used.
    """

    digest: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    transparent: bool = False
    rotated: bool = False
    outside: bool = False
    fault: str = ""
    reason: str = ""


def examine(root: Path, paths: Iterable[str]) -> dict[str, Facts]:
    """Return the facts of each path below `root`; a path that is listed twice is read once."""
    once = list(dict.fromkeys(paths))
    with warnings.catch_warnings(), ThreadPool() as pool:
        # Pillow warns at its limit and refuses at twice that; nothing beyond the limit is decoded.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        results = pool.imap(partial(_facts, root, root.resolve()), once)
        read = tqdm(results, "reading images", len(once), unit="image", disable=None)
        return dict(zip(once, read, strict=True))


def _facts(root: Path, home: Path, name: str) -> Facts:
    path = root / name
    try:
        outside = not path.resolve().is_relative_to(home)
        content = path.read_bytes()
        if not content:
            return Facts(outside=outside, fault="unreadable", reason="0 bytes")
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            deep = image.mode[0] in "IF"
            return Facts(
                digest=hashlib.sha256(content).hexdigest(),
                width=image.width,
                height=image.height,
                mode=image.mode,
                transparent=image.has_transparency_data,
                rotated=_rotated(image),
                outside=outside,
                fault="deep" if deep else "",
                reason=f"mode {image.mode}, not 8 bits" if deep else "",
            )
    except BOMBS as error:
        return Facts(outside=outside, fault="bombs", reason=str(error).split(",", 1)[0])
    except UnidentifiedImageError:
        return Facts(outside=outside, fault="unreadable", reason="no image that Pillow knows")
    except Exception as error:  # each of Pillow's decoders raises kinds of its own
        reason = str(getattr(error, "strerror", None) or error) or type(error).__name__
        return Facts(fault="unreadable", reason=reason)


def _rotated(image: Image.Image) -> bool:
    """Tell whether EXIF wants the image turned or mirrored; a broken EXIF wants nothing."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation) in range(2, 9)
    except Exception:  # as above
        return False
