"""Images in the order asked for, alike for any number of workers and processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from capnet.data.sampler import Draw
from capnet.data.transforms import Transform, rgb
from capnet.machine import cores_per_process
from capnet.records import Record

Loader = DataLoader[tuple[Tensor, int]]


class Images(Dataset[tuple[Tensor, int]]):
    """Gives for a Draw the transformed image and its number (its label, or its place)."""

    def __init__(self, paths: list[Path], numbers: Sequence[int], transform: Transform) -> None:
        self.paths, self.numbers, self.transform = paths, numbers, transform

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int]:
        image = read_image(self.paths[draw.index])
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(draw.seed)  # torch.manual_seed would reach GPUs too
            return self.transform(image), self.numbers[draw.index]


def read_image(path: Path) -> Image.Image:
    """Read an image as RGB; OSError names the file and says to prepare the data set again."""
    try:
        with Image.open(path) as image:
            return rgb(image)
    except (OSError, SyntaxError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(
            f"{path}: cannot be read ({reason}), though it could when the data set was prepared; "
            "`dvc repro --force prepare` checks every image again"
        ) from error


def train_loader(
    records: Sequence[Record],
    root: Path,
    transform: Transform,
    batches: Sequence[list[Draw]],
    workers: int,
) -> Loader:
    """Return a loader of one epoch: images (B, 3, H, W) float32 and labels (B,) int64 (R22).

    `batches` are draws from `records`, whose paths lie below `root`. What a draw gives depends on
    its index and seed alone: not on its batch, on `workers` processes, or on the rank (A27).
    """
    labels = [record.label for record in records]
    return _loader(Images([root / r.path for r in records], labels, transform), batches, workers)


def test_loader(
    records: Sequence[Record], root: Path, transform: Transform, batch_size: int, workers: int
) -> Loader:
    """Return a loader of all records in order: images (B, 3, H, W) and their places (B,) int64."""
    places = range(len(records))
    batches = [
        [Draw(place, 0) for place in places[start : start + batch_size]]
        for start in places[::batch_size]
    ]
    return _loader(Images([root / r.path for r in records], places, transform), batches, workers)


def default_workers() -> int:
    """Return the number of loading processes beside each training process.

    Without a GPU the cores are busy with the network: 0, and loading happens in between.
    """
    return min(8, cores_per_process()) if torch.cuda.is_available() else 0


def _loader(images: Images, batches: Sequence[list[Draw]], workers: int) -> Loader:
    return DataLoader(
        images,
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else each epoch would take a number from the global one
    )
