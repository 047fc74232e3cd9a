"""Where the matches of the queries stand in their lists (A25).

A list is the gallery by rising distance; equal distances keep gallery order. A match's place is the
number of items before it: that takes the items no farther than the query's last match, in order,
and so hardly ever a sorted row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from capnet.ops.blocks import Block
from capnet.ops.distance import Floats
from capnet.ops.protocol import Ints, Protocol

_AT_ONCE = 2**19  # distances looked through at one time: 2 MiB, which a core keeps near


@dataclass(frozen=True, eq=False)
class Places:
    """Where the matches of q consecutive queries stand in their lists."""

    count: Ints  # (q,) matches of each query
    place: Ints  # (their sum,) places, 0 the best, rising within a query
    num_tied: int

    @classmethod
    def merge(cls, parts: Sequence[Places]) -> Places:
        """Join the places of consecutive queries, in the order of the queries."""
        nothing = np.empty(0, dtype=np.int64)  # for a share without a block
        return cls(
            np.concatenate([nothing, *(part.count for part in parts)]),
            np.concatenate([nothing, *(part.place for part in parts)]),
            sum(part.num_tied for part in parts),
        )


def place_matches(blocks: Iterable[Block], protocol: Protocol) -> Places:
    """Find the place of each match of the blocks' queries, whose rows it overwrites."""
    return Places.merge([Matches(block, start, protocol).places() for start, block in blocks])


class Matches:
    """The matches of n consecutive queries, and what is known to stand before each of them."""

    def __init__(self, block: Floats, start: int, protocol: Protocol, first_item: int = 0) -> None:
        """Seek them in the distances (n, m) of the queries from `start` on, which it overwrites.

        They are those to the gallery items from `first_item` on, all of the queries' persons'
        among them.
        """
        (row, item), (own_row, own_item) = protocol.same_person(slice(start, start + len(block)))
        block[own_row, own_item - first_item] = np.inf
        wanted = block[row, item - first_item]
        order = np.lexsort((wanted, row))  # stable: equal distances keep gallery order
        self._wanted, row, item = wanted[order], row[order], item[order] - first_item
        self._bounds = row.searchsorted(np.arange(len(block) + 1))
        self._before, within = self._count(block)
        self._tied = within - self._before > 1
        for n in np.flatnonzero(self._tied):
            earlier = block[row[n], : item[n]] == self._wanted[n]
            self._before[n] += np.count_nonzero(earlier)

    def add(self, block: Floats, earlier: bool) -> None:
        """Count in the distances (n, m) to other items: all `earlier` in the gallery, or later."""
        nearer, within = self._count(block)
        self._before += within if earlier else nearer
        self._tied |= within > nearer

    def places(self) -> Places:
        """Return their places, once the whole gallery is counted in."""
        return Places(np.diff(self._bounds), self._before, int(self._tied.sum()))

    def _count(self, block: Floats) -> tuple[Ints, Ints]:
        """Count for each match the items of its row that are nearer, and those within reach."""
        if not len(self._wanted):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        counts = np.empty((2, len(self._wanted)), dtype=np.int64)
        step = max(1, _AT_ONCE // block.shape[1])

        def count(start: int) -> None:
            bounds = self._bounds[start : start + step + 1]
            ours = slice(bounds[0], bounds[-1])
            rows = block[start : start + step]
            _count(rows, self._wanted[ours], bounds - bounds[0], counts[:, ours])

        starts = range(0, len(block), step)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(count, starts))
        return counts[0], counts[1]


def _count(rows: Floats, wanted: Floats, bounds: Ints, counts: Ints) -> None:
    """Count row i's items below, and up to, each of wanted[bounds[i]:bounds[i + 1]], which rise."""
    if not len(wanted):
        return
    limit = np.where(np.diff(bounds) > 0, wanted[bounds[1:] - 1], -np.inf)
    near = rows <= limit[:, None]
    cuts = rows.shape[1] * np.arange(len(rows) + 1)
    if np.count_nonzero(near) * 4 < near.size:
        found = np.flatnonzero(near)
        few, cuts = rows.ravel()[found], found.searchsorted(cuts)
    else:  # picking many costs more than sorting all
        few = rows.flatten()
    ends, edges = bounds.tolist(), cuts.tolist()
    for a, b, first, last in zip(ends[:-1], ends[1:], edges[:-1], edges[1:], strict=True):
        ordered = few[first:last]
        ordered.sort()
        counts[0, a:b] = ordered.searchsorted(wanted[a:b])
        counts[1, a:b] = ordered.searchsorted(wanted[a:b], "right")
