"""Batches of pixels in the order asked for, alike for any number of workers and processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from capnet.data.pixels import Bytes, FilePixels
from capnet.data.sampler import Draw
from capnet.machine import cores_per_process


class Batch(NamedTuple):
    """B images: pixels (B, 3, H, W) uint8, a number of each (its label, or its place), its seed."""

    images: Tensor
    numbers: Tensor  # (B,) int64
    seeds: Tensor  # (B,) int64, of the augmentation


Loader = DataLoader[Batch]


class _Batches(Dataset[Batch]):
    """Gives for a list of draws their batch."""

    def __init__(self, pixels: FilePixels | Bytes, numbers: Sequence[int]) -> None:
        self.pixels, self.numbers = pixels, numbers

    def __getitem__(self, draws: list[Draw]) -> Batch:
        return Batch(
            torch.from_numpy(self.pixels[[draw.index for draw in draws]]),
            torch.tensor([self.numbers[draw.index] for draw in draws]),
            torch.tensor([draw.seed for draw in draws]),
        )


def train_loader(
    pixels: FilePixels | Bytes, labels: Sequence[int], batches: Sequence[list[Draw]], workers: int
) -> Loader:
    """Return a loader of one epoch (R22): `batches` are draws from the images and their labels.

    What a draw gives depends on its index and seed alone: not on its batch, on `workers`
    processes, or on the rank (A27).
    """
    return _loader(_Batches(pixels, labels), batches, workers)


def test_loader(pixels: FilePixels, batch_size: int, workers: int) -> Loader:
    """Return a loader of all images in order, numbered by their places."""
    places = range(len(pixels.records))
    batches = [
        [Draw(place, 0) for place in places[start : start + batch_size]]
        for start in places[::batch_size]
    ]
    return _loader(_Batches(pixels, places), batches, workers)


def default_workers() -> int:
    """Return the number of loading processes beside each training process.

    Without a GPU the cores are busy with the network: 0, and loading happens in between.
    """
    return min(8, cores_per_process()) if torch.cuda.is_available() else 0


def _loader(images: _Batches, batches: Sequence[list[Draw]], workers: int) -> Loader:
    return DataLoader(
        images,
        sampler=batches,
        batch_size=None,  # a batch is read whole
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else each epoch would take a number from the global one
    )
