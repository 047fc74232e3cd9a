"""The nearest images of every image, from half of the N x N distances and never all at once.

The distances are computed tile by tile; a tile serves its rows and, transposed, its columns. Each
image keeps its best candidates as integers in the order of (distance, image): the bits of a float32
>= 0 rise with its value. So equal distances keep image order, whatever the tile size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from capnet.ops.distance import Floats, shifted_distances, squared_norms
from capnet.ops.workers import Room, workers

_TILE = 2048  # images on a side: 16 MiB, and the product at full speed
_EMPTY = np.uint64(0x7F800000_FFFFFFFF)  # no image yet, at infinity

Keys = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What all N = Q + G images (the queries first) need to know of each other."""

    order: NDArray[np.int64]  # (N, count) nearest images, nearest first; normally itself leads
    nearest: Floats  # (N, count) their squared distances, float32
    farthest: Floats  # (N,) largest squared distance
    distance: Floats  # (Q, G) squared distances, float32; (0, G) where they were not wanted


def nearest_neighbours(
    query: Tensor, gallery: Tensor, count: int, keep_distance: bool = True
) -> Neighbours:
    """Find the `count` nearest of all images, itself included, of each image (Q, D), (G, D).

    Distances are squared Euclidean in float32, zero from an image to itself. Those from the queries
    to the gallery are kept unless `keep_distance` is False.
    """
    queries, items = len(query), len(gallery)
    best = np.full((queries + items, count), _EMPTY)
    farthest = np.zeros(queries + items, dtype=np.float32)
    distance = np.empty((queries if keep_distance else 0, items), dtype=np.float32)
    blocks = [(start, query[start : start + _TILE]) for start in range(0, queries, _TILE)]
    blocks += [
        (queries + start, gallery[start : start + _TILE]) for start in range(0, items, _TILE)
    ]
    norms = [squared_norms(images, "embeddings") for _, images in blocks]
    locks = [Lock() for _ in blocks]
    room = Room(_TILE**2, np.float32)

    def compare(i: int, j: int) -> None:
        (top, ours), (left, theirs) = blocks[i], blocks[j]
        tile = room.table(len(ours), len(theirs))
        shifted_distances(ours, theirs, norms[j], out=tile)
        tile += norms[i][:, None]
        np.maximum(tile, 0, out=tile)
        rows, columns = slice(top, top + len(ours)), slice(left, left + len(theirs))
        if i == j:
            np.fill_diagonal(tile, 0)
        else:
            with locks[j]:
                _compete(best[columns], farthest[columns], tile.T, top)
        with locks[i]:
            _compete(best[rows], farthest[rows], tile, left)
        if keep_distance and top < queries <= left:
            distance[rows, left - queries : left - queries + len(theirs)] = tile

    pairs = combinations_with_replacement(range(len(blocks)), 2)
    diagonal_first = sorted(pairs, key=lambda pair: pair[1] - pair[0])  # it sets the limits
    with workers() as pool:
        for compared in [pool.submit(compare, *pair) for pair in diagonal_first]:
            compared.result()
    order = (best & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return Neighbours(order, _distance(best), farthest, distance)


def _distance(keys: Keys) -> Floats:
    """Return the distance that leads a key."""
    return (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)


def _compete(best: Keys, farthest: Floats, tile: Floats, first_column: int) -> None:
    """Let the tile's columns enter the best (n, count) of its rows, in place."""
    np.maximum(farthest, tile.max(axis=1), out=farthest)
    count = best.shape[1]
    limit = _distance(best[:, -1])
    if np.isinf(limit).any() and tile.shape[1] >= count:
        limit = np.partition(tile, count - 1, axis=1)[:, count - 1]
    near = np.flatnonzero((tile <= limit[:, None]).ravel("K"))  # few, found in memory order
    if tile.flags.c_contiguous:
        rows, columns = np.divmod(near, tile.shape[1])
    else:
        columns, rows = np.divmod(near, tile.shape[0])
        by_row = np.argsort(rows, kind="stable")
        rows, columns = rows[by_row], columns[by_row]
    values = tile[rows, columns].view(np.uint32).astype(np.uint64) << np.uint64(32)
    entrants = np.bincount(rows, minlength=len(best))
    seat = np.arange(len(rows)) - (entrants.cumsum() - entrants)[rows]
    table = np.full((len(best), count + entrants.max()), _EMPTY)
    table[:, :count] = best
    table[rows, count + seat] = values | (columns + first_column).astype(np.uint64)
    best[:] = np.sort(table, axis=1)[:, :count]
