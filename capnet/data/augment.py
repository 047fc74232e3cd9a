"""From pixels to the network's input, a batch at a time and on its device (A19).

What happens to an image is drawn from its seed alone: not from its batch, from the device, or from
the process. So a training sees the same images on any number of processes (A27).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# ImageNet's RGB on the scale of stored pixels, 0-255, so that normalising is two operations.
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AREA, RATIO = (0.02, 0.4), (0.3, 1 / 0.3)  # of an erased box: share of the image, height to width
TRIES = 10  # a box that does not fit is drawn again

Ints = NDArray[np.int64]


class Draws(NamedTuple):
    """What happens to each of B images."""

    flip: NDArray[np.bool_]  # (B,)
    shift: Ints  # (B, 2) of the crop against the image, down and to the right, from -pad to pad
    box: Ints  # (B, 4) top, left, bottom, right of what is erased; of size 0 where nothing is


def draw(seeds: Tensor, height: int, width: int, *, flip: float, pad: int, erasing: float) -> Draws:
    """Draw what happens to images from their seeds (B,), int64 >= 0.

    `flip` and `erasing` are probabilities; `pad` is the width in pixels of the black border out of
    which a (height, width) crop is taken. An erased box covers 2-40 % of the area, uniformly, with
    a ratio of 0.3-3.3 (height to width), uniformly in its logarithm.
    """
    keys = seeds.tolist()
    uniform = np.stack([np.random.Generator(np.random.Philox(key=k)).random(26) for k in keys])
    area = height * width * _between(uniform[:, :TRIES], *AREA)
    ratio = np.exp(_between(uniform[:, TRIES : 2 * TRIES], *np.log(RATIO)))
    tall, wide = np.rint(np.sqrt(area * ratio)), np.rint(np.sqrt(area / ratio))
    fits = (tall < height) & (wide < width)
    first = fits.argmax(1)
    rows = np.arange(len(keys))
    erased = (uniform[:, -1] < erasing) & fits[rows, first]
    sides = np.stack([tall[rows, first], wide[rows, first]], 1) * erased[:, None]
    free = np.array([height, width]) + 1 - sides
    start = np.floor(uniform[:, -3:-1] * free)
    shift = np.floor(uniform[:, -5:-3] * (2 * pad + 1)) - pad
    box = np.concatenate([start, start + sides], 1)
    return Draws(uniform[:, -6] < flip, shift.astype(np.int64), box.astype(np.int64))


def augment(images: Tensor, draws: Draws) -> Tensor:
    """Mirror, crop, normalise, erase: uint8 (B, 3, H, W) -> float32 (B, 3, H, W).

    What a crop shows from beyond the mirrored image is black; what is erased takes the mean colour.
    """
    height, width = images.shape[2:]
    crops = torch.zeros_like(images)
    for crop, image, mirrored, (down, right) in zip(crops, images, *_lists(draws[:2]), strict=True):
        source = image.flip(2) if mirrored else image
        rows, columns = _overlap(down, height), _overlap(right, width)
        crop[:, rows[0], columns[0]] = source[:, rows[1], columns[1]]
    values = normalise(crops)
    for value, (top, left, bottom, right) in zip(values, draws.box.tolist(), strict=True):
        value[:, top:bottom, left:right] = 0
    return values


def normalise(images: Tensor) -> Tensor:
    """Return (pixels / 255 - mean) / deviation: uint8 (B, 3, H, W) -> float32 (B, 3, H, W)."""
    mean, deviation = _statistics(images.device)
    return images.float().sub_(mean).div_(deviation)


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Return where a crop shows the image, in the crop and in the image, along one side."""
    return slice(max(0, -shift), size - max(0, shift)), slice(max(0, shift), size + min(0, shift))


def _lists(arrays: Sequence[NDArray[Any]]) -> list[list[Any]]:
    return [array.tolist() for array in arrays]


@lru_cache(maxsize=2)
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    mean, deviation = (255 * torch.tensor(v).reshape(3, 1, 1) for v in (MEAN, DEVIATION))
    return mean.to(device), deviation.to(device)


def _between(uniform: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return low + (high - low) * uniform
