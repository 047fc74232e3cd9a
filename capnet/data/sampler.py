"""Which images stand together in the batches of an epoch: a pure function, without state (A23).

The batches follow from the labels, the seed and the epoch alone. So any epoch can be computed on
its own after a resume, every process computes the same ones, and each takes its slice (A27).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Draw:
    """One image of a batch: its place among the train images, its augmentation's seed."""

    index: int
    seed: int


def epoch_batches(
    labels: Sequence[int], ids_per_batch: int, images_per_id: int, seed: int, epoch: int
) -> list[list[Draw]]:
    """Return an epoch's batches of P `ids_per_batch` times K `images_per_id` images (R22).

    `labels` holds the class of each train image. A person's n images are cut into chunks of K: n/K
    of them rounded up or down at random, so that every image is expected once (A23); a person with
    fewer than K gives one chunk, drawn with replacement. Each batch takes a chunk of P people,
    drawn without replacement by the number of chunks that they have left, so less than P people's
    chunks stay unused. A batch lists its people one after the other. The augmentation seed is a
    function of `seed`, `epoch` and the place in the epoch only.
    Raises ValueError if there are fewer than P people.
    """
    order, seeds = (
        np.random.Generator(np.random.PCG64(child))
        for child in np.random.SeedSequence([seed, epoch]).spawn(2)
    )
    classes = np.asarray(labels, dtype=np.int64)
    chunks = [
        _chunks(np.flatnonzero(classes == label), images_per_id, order)
        for label in np.unique(classes)
    ]
    if len(chunks) < ids_per_batch:
        raise ValueError(
            f"train.ids_per_batch is {ids_per_batch} but there are {len(chunks)} people to train "
            f"on; set it to {len(chunks)} or less"
        )
    left = np.array([len(own) for own in chunks])
    batches = []
    while np.count_nonzero(left) >= ids_per_batch:
        people = order.choice(len(left), ids_per_batch, replace=False, p=left / left.sum())
        left[people] -= 1
        indices = np.concatenate([chunks[person][left[person]] for person in people])
        draws = zip(
            indices.tolist(), seeds.integers(2**63, size=len(indices)).tolist(), strict=True
        )
        batches.append([Draw(*draw) for draw in draws])
    return batches


def shard(
    batches: Sequence[Sequence[Draw]], ids_per_batch: int, rank: int, world: int
) -> list[list[Draw]]:
    """Return the part of every batch that process `rank` of `world` loads: whole people (A27).

    Raises ValueError if the processes cannot share the people of a batch evenly.
    """
    if ids_per_batch % world:
        raise ValueError(
            f"train.ids_per_batch is {ids_per_batch}, which {world} processes cannot share evenly; "
            f"use a number of processes that divides it"
        )
    return [
        list(batch[rank * len(batch) // world : (rank + 1) * len(batch) // world])
        for batch in batches
    ]


def _chunks(images: Indices, size: int, order: np.random.Generator) -> Indices:
    """Cut one person's images into rows of `size` different ones, in random order."""
    count = max(1, int(len(images) / size + order.random()))
    if len(images) < size:
        return order.choice(images, (1, size))
    shuffled = order.permutation(images)
    if (missing := count * size - len(images)) > 0:  # fill the last row from the rows before it
        again = order.choice(shuffled[: (count - 1) * size], missing, replace=False)
        shuffled = np.concatenate([shuffled, again])
    return shuffled[: count * size].reshape(count, size)
