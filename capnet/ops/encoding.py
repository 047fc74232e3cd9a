"""What each image has in common with its neighbours (Zhong et al., CVPR 2017), sparse.

Steps (2) to (5) of `capnet.ops.rerank`, some images at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from capnet.ops.distance import Floats
from capnet.ops.neighbours import Neighbours

Ints = NDArray[np.int64]
IMAGES = 512  # images encoded at one time


@dataclass(frozen=True, eq=False)
class Rows:
    """A sparse matrix by rows: those of row r lie in start[r]:start[r + 1]."""

    start: Ints
    column: Ints
    value: Floats

    @classmethod
    def of(cls, row: Ints, column: Ints, value: Floats, rows: int) -> Rows:
        """Build from entries whose rows rise."""
        return cls(np.searchsorted(row, np.arange(rows + 1)), column, value)

    def take(self, rows: Ints) -> tuple[Ints, Ints, Floats]:
        """Return the entries of some rows: position in `rows`, column, value."""
        lengths = self.start[rows + 1] - self.start[rows]
        position = np.repeat(np.arange(len(rows)), lengths)
        offset = self.start[rows] - (lengths.cumsum() - lengths)
        entries = np.arange(len(position)) + offset[position]
        return position, self.column[entries], self.value[entries]


def encode(query: Tensor, gallery: Tensor, known: Neighbours, farthest: Floats, k1: int) -> Rows:
    """Weight each image's expanded reciprocal neighbours (steps 2-4)."""
    full, half = _reciprocal(known.order, k1), _reciprocal(known.order, round(k1 / 2))
    rows, columns, weights = [], [], []
    for images in _parts(len(known.order)):
        row, column = _expand(known.order, full, half, images)
        distance = _pair_distances(query, gallery, known, row, column)
        weight = np.exp(-distance / farthest[row])
        total = np.bincount(row - images[0], weight)
        rows.append(row)
        columns.append(column)
        weights.append((weight / total[row - images[0]]).astype(np.float32))
    row, column, weight = (np.concatenate(parts) for parts in (rows, columns, weights))
    return Rows.of(row, column, weight, len(known.order))


def _reciprocal(order: Ints, k: int) -> NDArray[np.bool_]:
    """Mark which of the k + 1 first neighbours (N, k + 1) are reciprocal (step 2)."""
    near = order[:, : k + 1]
    parts = [(near[near[i]] == i[:, None, None]).any(axis=2) for i in _parts(len(order))]
    return np.concatenate(parts)


def _expand(
    order: Ints, full: NDArray[np.bool_], half: NDArray[np.bool_], images: Ints
) -> tuple[Ints, Ints]:
    """Return R* of some images as (image, member) pairs, both rising (step 3)."""
    nowhere = len(order)
    members = np.where(full[images], order[images, : full.shape[1]], nowhere)  # (n, k1 + 1)
    others = np.where(full[images], members, 0)
    guests = np.where(half[others], order[others, : half.shape[1]], nowhere)  # (n, k1 + 1, h + 1)
    exist = (guests < nowhere) & full[images][:, :, None]
    known = np.zeros(guests.shape, dtype=bool)
    for m in range(members.shape[1]):
        known |= guests == members[:, m, None, None]
    welcome = 3 * (known & exist).sum(axis=2) > 2 * exist.sum(axis=2)
    guests[~(exist & welcome[:, :, None])] = nowhere
    union = np.sort(np.concatenate([members, guests.reshape(len(images), -1)], axis=1), axis=1)
    new = union < nowhere
    new[:, 1:] &= union[:, 1:] != union[:, :-1]
    return images[np.nonzero(new)[0]], union[new]


def _pair_distances(
    query: Tensor, gallery: Tensor, known: Neighbours, left: Ints, right: Ints
) -> Floats:
    """Squared distances of pairs of images: most are known, the others come from embeddings."""

    def gather(images: Tensor) -> Tensor:
        rows = gallery[(images - len(query)).clamp(min=0)]
        is_query = images < len(query)
        rows[is_query] = query[images[is_query]]
        return rows

    same = known.order[left] == right[:, None]  # (pairs, count)
    distances: Floats = known.nearest[left, same.argmax(axis=1)]
    others = np.flatnonzero(~same.any(axis=1))
    a, b = (torch.from_numpy(images[others]).to(query.device) for images in (left, right))
    distances[others] = gather(a).sub_(gather(b)).square_().sum(1).cpu().numpy()
    return distances


def average(encoding: Rows, order: Ints) -> Rows:
    """Average the encodings of each image's k2 nearest (step 5)."""
    images, k2 = order.shape
    keys, values = [], []
    for part in _parts(images):
        position, column, value = encoding.take(order[part].ravel())
        key, entry = np.unique(part[position // k2] * images + column, return_inverse=True)
        keys.append(key)
        values.append((np.bincount(entry, value) / k2).astype(np.float32))
    key = np.concatenate(keys)
    return Rows.of(key // images, key % images, np.concatenate(values), images)


def _parts(images: int) -> list[Ints]:
    """Split all images into runs of at most `IMAGES`."""
    return np.array_split(np.arange(images), -(-images // IMAGES))
