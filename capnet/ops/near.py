"""Of each row of distances the items that are near enough, in order: hardly ever a whole row."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from capnet.ops.distance import Floats
from capnet.ops.protocol import Ints
from capnet.ops.tiles import evenly

_LOOK = 2**17  # distances looked through, or copied and sorted, at one time: a core keeps them near
_SORT = 128  # rows with few items sorted at one time
_SAMPLE = 16  # of so many rows one tells whether few are near

Ordered = tuple[Ints, Floats]  # some rows (k,), and the items (k, most) of each in order


def within(block: Floats, limit: Floats, *, keep: bool) -> Iterator[Ordered]:
    """Sort of each row (n, m) what is within its limit (n,); at the row's end stands other.

    The block is overwritten unless it is to keep.
    """
    near = block[::_SAMPLE] <= limit[::_SAMPLE, None]
    return _few(block, limit) if near.mean() < 0.25 else _all(block, keep)


def _all(block: Floats, keep: bool) -> Iterator[Ordered]:
    pieces = math.ceil(block.size / _LOOK) if keep else 1
    for part in evenly(0, len(block), min(pieces, len(block))):
        rows = block[part].copy() if keep else block[part]
        rows.sort(axis=1)
        yield np.arange(part.start, part.stop), rows


def _few(block: Floats, limit: Floats) -> Iterator[Ordered]:
    picked, counts = [], []
    for part in evenly(0, len(block), min(math.ceil(block.size / _LOOK), len(block))):
        rows = block[part]
        found = np.flatnonzero(rows <= limit[part, None])
        picked.append(rows.ravel()[found])
        counts.append(np.diff(found.searchsorted(rows.shape[1] * np.arange(len(rows) + 1))))
    values, count = np.concatenate(picked), np.concatenate(counts)
    start = count.cumsum() - count
    by_count = np.argsort(count)  # rows of one length beside each other, to be sorted together
    for first in range(0, len(count), _SORT):
        some = by_count[first : first + _SORT]
        column = np.arange(count[some[-1]])
        few = values.take(start[some, None] + column, mode="clip")
        few[column >= count[some, None]] = np.inf
        few.sort(axis=1)
        yield some, few
