"""k-reciprocal re-ranking (Zhong et al., CVPR 2017; R28), sparse and blocked.

All N = Q + G images take part. The steps are those of the published protocol, whose numbers the
field compares: (1) squared Euclidean distances, each image's divided by its largest; (2) R(i, k):
those of i's k nearest (itself besides) that have i among theirs; (3) R*(i): R(i, k1) joined by the
R(j, k1/2) of its members j of which more than two thirds lie in R(i, k1) (the paper prints "at
least"); (4) an encoding of i: exp(-distance) on R*(i), summing to 1; (5) its mean over i's k2
nearest; (6) the Jaccard distance of two encodings, mixed with (1). Half of an odd k1 is rounded to
even. Equal distances keep image order, queries first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from capnet.ops.distance import Floats, comparable, squared_norms
from capnet.ops.neighbours import Neighbours, nearest_neighbours

Ints = NDArray[np.int64]
_IMAGES = 512  # images encoded at one time


def k_reciprocal_distance(
    query: Tensor, gallery: Tensor, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> Tensor:
    """Return (1 - lambda) Jaccard + lambda original, (Q, D), (G, D) -> (Q, G) float32 in [0, 1].

    On the CPU, computed in float32, the product on the embeddings' device. ValueError names the
    argument that does not fit; MemoryError says how much is needed where the machine has less.
    """
    query, gallery = (embeddings.float() for embeddings in comparable(query, gallery))
    images = len(query) + len(gallery)
    _check_neighbours("k1", k1, images - 1)
    _check_neighbours("k2", k2, images)
    if not 0 <= lambda_value <= 1:
        raise ValueError(f"lambda_value must be in [0, 1], got {lambda_value}")
    _check_memory(rerank_memory(len(query), len(gallery), query.shape[1], k1))
    for name, embeddings in (("query", query), ("gallery", gallery)):
        squared_norms(embeddings, name)  # refuses what is not finite
    known = nearest_neighbours(query, gallery, max(k1 + 1, k2))
    farthest = np.where(known.farthest > 0, known.farthest, 1)  # all images alike: distance 0
    encoding = _encode(query, gallery, known, farthest, k1)
    if k2 > 1:
        encoding = _average(encoding, known.order[:, :k2])
    return torch.from_numpy(_mix(encoding, known.distance, farthest, lambda_value))


def rerank_memory(num_query: int, num_gallery: int, dim: int, k1: int) -> int:
    """Estimate the bytes that `k_reciprocal_distance` takes, result included, inputs not."""
    result = 4 * num_query * num_gallery
    encoding = 200 * (k1 + 1) * (num_query + num_gallery)
    blocks = 2**26 + 24 * _IMAGES * dim
    return result + encoding + blocks


@dataclass(frozen=True, eq=False)
class _Rows:
    """A sparse matrix by rows: those of row r lie in start[r]:start[r + 1]."""

    start: Ints
    column: Ints
    value: Floats

    @classmethod
    def of(cls, row: Ints, column: Ints, value: Floats, rows: int) -> _Rows:
        """Build from entries whose rows rise."""
        return cls(np.searchsorted(row, np.arange(rows + 1)), column, value)

    def take(self, rows: Ints) -> tuple[Ints, Ints, Floats]:
        """Return the entries of some rows: position in `rows`, column, value."""
        lengths = self.start[rows + 1] - self.start[rows]
        position = np.repeat(np.arange(len(rows)), lengths)
        offset = self.start[rows] - (lengths.cumsum() - lengths)
        entries = np.arange(len(position)) + offset[position]
        return position, self.column[entries], self.value[entries]


def _encode(query: Tensor, gallery: Tensor, known: Neighbours, farthest: Floats, k1: int) -> _Rows:
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
    return _Rows.of(row, column, weight, len(known.order))


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


def _average(encoding: _Rows, order: Ints) -> _Rows:
    """Average the encodings of each image's k2 nearest (step 5)."""
    images, k2 = order.shape
    keys, values = [], []
    for part in _parts(images):
        position, column, value = encoding.take(order[part].ravel())
        key, entry = np.unique(part[position // k2] * images + column, return_inverse=True)
        keys.append(key)
        values.append((np.bincount(entry, value) / k2).astype(np.float32))
    key = np.concatenate(keys)
    return _Rows.of(key // images, key % images, np.concatenate(values), images)


def _mix(encoding: _Rows, distance: Floats, farthest: Floats, lambda_value: float) -> Floats:
    """Turn the squared distances (Q, G) into the re-ranked ones, in place (step 6)."""
    queries, gallery = distance.shape
    first = encoding.start[queries]  # the gallery's entries, by column
    by_column = np.argsort(encoding.column[first:], kind="stable") + first
    item = np.repeat(np.arange(gallery), np.diff(encoding.start[queries:]))
    holders = _Rows.of(
        encoding.column[by_column],
        item[by_column - first],
        encoding.value[by_column],
        queries + gallery,
    )
    for number, row in enumerate(distance):
        own = slice(encoding.start[number], encoding.start[number + 1])
        position, holder, value = holders.take(encoding.column[own])
        shared = np.bincount(holder, np.minimum(value, encoding.value[own][position]), gallery)
        row *= lambda_value / farthest[number]
        row += (1 - lambda_value) * (1 - shared / (2 - shared))
    return distance


def _parts(images: int) -> list[Ints]:
    """Split all images into runs of at most `_IMAGES`."""
    return np.array_split(np.arange(images), -(-images // _IMAGES))


def _check_neighbours(name: str, k: int, most: int) -> None:
    if not 1 <= k <= most:
        raise ValueError(f"{name} must be between 1 and {most} for this many images, got {k}")


def _check_memory(needed: int) -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > machine:
        raise MemoryError(
            f"re-ranking needs about {needed / 2**30:.1f} GiB, this machine has "
            f"{machine / 2**30:.1f}; rank without it or with fewer gallery images"
        )
