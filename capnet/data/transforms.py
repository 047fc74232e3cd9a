"""From an image to the network's input (A19, R21).

An image becomes RGB as Pillow converts it: grey is repeated, a palette or CMYK is looked up, alpha
is dropped. EXIF orientation is not applied: the benchmarks' crops are stored upright, and published
numbers come from the pixels as stored. Pillow resizes in whole numbers, alike on every machine.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from PIL import Image
from torchvision.transforms import v2

Transform = Callable[[Image.Image], torch.Tensor]
# ImageNet's RGB on the scale of stored pixels, 0-255, so that normalising is two operations.
MEAN = 255 * torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = 255 * torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


def train_transform(height: int, width: int, *, flip: float, pad: int, erasing: float) -> Transform:
    """Return resize, mirror, shifted crop, normalise, erase, in this order (A19).

    `flip` and `erasing` are probabilities; `pad` is the width in pixels of the black border out of
    which a (height, width) crop is taken. An erased box covers 2-40 % of the area with a ratio of
    0.3-3.3 and takes the mean colour, 0. Draws come from torch's default CPU generator.
    An image of any size and mode -> float32 (3, height, width).
    """
    transform: Transform = v2.Compose(
        [
            *_resized(height, width),
            v2.RandomHorizontalFlip(flip),
            v2.RandomCrop((height, width), padding=pad),
            normalise,
            v2.RandomErasing(erasing, scale=(0.02, 0.4), ratio=(0.3, 3.3), value=0),
        ]
    )
    return transform


def test_transform(height: int, width: int) -> Transform:
    """Return resize and normalise: an image -> float32 (3, height, width), nothing random."""
    transform: Transform = v2.Compose([*_resized(height, width), normalise])
    return transform


def rgb(image: Image.Image) -> Image.Image:
    """Convert an 8-bit image of any mode to RGB."""
    if image.mode in ("P", "PA"):  # Pillow warns of a palette's transparency without this step
        image = image.convert("RGBA")
    return image.convert("RGB")


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Return (pixels / 255 - mean) / deviation: uint8 (3, H, W) -> float32 (3, H, W)."""
    return (pixels - MEAN).div_(STD)


def _resized(height: int, width: int) -> list[Callable[..., object]]:
    return [rgb, v2.Resize((height, width)), v2.PILToTensor()]  # bilinear, antialiased
