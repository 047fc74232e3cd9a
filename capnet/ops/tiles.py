"""How ranking cuts the queries by the gallery: some queries, by their persons first, then the rest.

A worker has the distances of one tile at one time. Data sets list their images by person, so the
stretch of the gallery with some queries' persons is short, and memory does not grow with the
gallery.

The tiles are cut by the ids alone, and a share of the work is some whole parts: so a process that
does its share multiplies just what one that does everything would, and the numbers are the same to
the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from capnet.ops.distance import LEAST_QUERIES
from capnet.ops.protocol import Protocol

QUERIES = 562  # fewer rows slow the product: 106 by a fifth
TILE = 5 * 2**18  # distances that a worker has at one time, 5 MiB
HELD = 7 * 2**20  # the same for the stretch with the queries' persons, 28 MiB

Share = tuple[int, int]  # (i, n): the i-th of n parts of the work, counted from 0
EVERYTHING: Share = (0, 1)


@dataclass(frozen=True)
class Part:
    """Consecutive queries, and the gallery without the junk at its ends, in slices."""

    queries: slice
    held: slice  # has all items of their persons
    rest: list[slice]  # empty where no query has a match

    @property
    def entries(self) -> int:
        """Distances in the largest tile."""
        return length(self.queries) * max(map(length, [self.held, *self.rest]))


def cut(protocol: Protocol, share: Share = EVERYTHING) -> list[Part]:
    """Return the parts of the share, in the order of the queries."""
    queries = len(protocol.query_pids)
    low, high = protocol.extents()
    count = math.ceil(queries / QUERIES)
    most = max(count, queries // LEAST_QUERIES)
    while True:  # more parts until what is held is little enough
        spans = evenly(0, queries, count)
        starts = [span.start for span in spans]
        lows, highs = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
        if count == most or length(spans[-1]) * (highs - lows).max() <= HELD:
            break
        count = min(count + math.ceil(count / 4), most)
    present = np.flatnonzero(~protocol.junk)
    ends = slice(int(present[0]), int(present[-1]) + 1) if len(present) else slice(0, 0)
    part, parts = share
    ours = range(count * part // parts, count * (part + 1) // parts)
    return [_part(spans[n], slice(int(lows[n]), int(highs[n])), ends) for n in ours]


def _part(queries: slice, held: slice, ends: slice) -> Part:
    if held.start >= held.stop:
        return Part(queries, slice(0, 0), [])
    width = max(1, TILE // max(length(queries), LEAST_QUERIES))
    if length(ends) <= width:
        return Part(queries, ends, [])
    others = [slice(ends.start, held.start), slice(held.stop, ends.stop)]
    rest = [evenly(one.start, one.stop, math.ceil(length(one) / width)) for one in others]
    return Part(queries, held, [*rest[0], *rest[1]])


def evenly(start: int, stop: int, count: int) -> list[slice]:
    """Cut start..stop into `count` slices of nearly one length, the last one of the longest."""
    total = stop - start
    return [
        slice(start + total * n // count, start + total * (n + 1) // count) for n in range(count)
    ]


def length(items: slice) -> int:
    """Return how many items a slice has."""
    return int(items.stop - items.start)
