"""Where the matches of the queries stand in their lists (A25).

A list is the gallery by rising distance; equal distances keep gallery order. A match's place is the
number of items before it: that takes the items no farther than the query's last match, in order,
and so hardly ever a sorted row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch

from capnet.ops.blocks import Block
from capnet.ops.distance import Floats
from capnet.ops.near import within
from capnet.ops.protocol import Ints, Protocol


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
        self._lock = Lock()
        (row, item), (own_row, own_item) = protocol.same_person(slice(start, start + len(block)))
        block[own_row, own_item - first_item] = np.inf
        wanted = block[row, item - first_item]
        order = np.lexsort((wanted, row))  # stable: equal distances keep gallery order
        row, item = row[order], item[order] - first_item
        self._number = np.bincount(row, minlength=len(block))
        self._is_match = np.arange(self._number.max(initial=0)) < self._number[:, None]
        self._wanted = np.full(self._is_match.shape, np.inf, dtype=block.dtype)  # rising
        self._wanted[self._is_match] = wanted[order]
        self._before, within = self._count(block, keep=True)
        self._tied = within - self._before > 1
        flat = self._before[self._is_match]
        for n in np.flatnonzero(self._tied[self._is_match]):
            earlier = block[row[n], : item[n]] == wanted[order[n]]
            flat[n] += np.count_nonzero(earlier)
        self._before[self._is_match] = flat

    def add(self, block: Floats, earlier: bool) -> None:
        """Count in the distances (n, m) to other items: all `earlier` in the gallery, or later.

        Several threads may at once.
        """
        nearer, within = self._count(block, keep=False)
        with self._lock:
            self._before += within if earlier else nearer
            self._tied |= within > nearer

    def places(self) -> Places:
        """Return their places, once the whole gallery is counted in."""
        found = self._is_match
        return Places(self._number, self._before[found], int(self._tied[found].sum()))

    def _count(self, block: Floats, *, keep: bool) -> tuple[Ints, Ints]:
        """Count for each match the items of its row that are nearer, and those within reach."""
        counts = np.zeros((2, *self._wanted.shape), dtype=np.int64)
        if not counts.size:
            return counts[0], counts[1]
        last = np.where(self._is_match, self._wanted, -np.inf).max(axis=1)
        for rows, ordered in within(block, last, keep=keep):
            found, wanted = torch.from_numpy(ordered), torch.from_numpy(self._wanted[rows])
            counts[0, rows] = torch.searchsorted(found, wanted)
            counts[1, rows] = torch.searchsorted(found, wanted, right=True)
        return counts[0], counts[1]
