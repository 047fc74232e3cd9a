"""Distances from the queries to the gallery, some queries at a time (A16, A25).

The blocks are cut by the sizes and ids alone, and a share of the work is some whole blocks: so a
process that does its share multiplies just what one that does everything would, and the numbers
are the same to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from capnet.ops.distance import Floats, comparable, name_rows, shifted_distances, squared_norms
from capnet.ops.protocol import Protocol

QUERY_BLOCK = 384  # fewer rows slow the product, more cost memory: 24 MiB on Market, 120 on MSMT17
ENTRIES = 2**25  # distances at one time, 128 MiB: galleries beyond MSMT17's come in pieces

Block = tuple[int, Floats]  # the first query, and the distances (n, G) from it and those after it
Share = tuple[int, int]  # (i, n): the i-th of n parts of the work, counted from 0
EVERYTHING: Share = (0, 1)


@dataclass(frozen=True, eq=False)
class Distances:
    """Squared distances less the row's own |q|^2, junk at infinity; some last until the next."""

    query: Tensor  # (Q, D)
    gallery: Tensor  # (G, D)
    norms: Floats  # (G,) |g|^2, infinity for junk
    buffer: Floats

    @classmethod
    def of(cls, query: Tensor, gallery: Tensor, protocol: Protocol) -> Distances:
        """Check everything; ValueError names the argument or the rows that do not fit."""
        query, gallery = comparable(query, gallery)
        protocol.check_sizes(len(query), len(gallery))
        squared_norms(query, "query")
        norms = squared_norms(gallery, "gallery")
        norms[protocol.junk] = np.inf
        rows = min(len(query), QUERY_BLOCK)
        entries = max(min(rows * len(gallery), ENTRIES), len(gallery))
        return cls(query, gallery, norms, np.empty(entries, dtype=norms.dtype))

    def between(self, queries: slice, items: slice) -> Floats:
        """Return the distances (n, m) of some queries and some gallery items."""
        rows, columns = queries.stop - queries.start, items.stop - items.start
        out = self.buffer[: rows * columns].reshape(rows, columns)
        return shifted_distances(
            self.query[queries], self.gallery[items], self.norms[items], out=out
        )


def embedding_blocks(query: Tensor, gallery: Tensor, protocol: Protocol) -> Iterator[Block]:
    """`Distances` to the whole gallery; a block lasts until the next, errors come before the first.

    ValueError names the argument or the rows that do not fit.
    """
    distances = Distances.of(query, gallery, protocol)
    everyone = slice(0, len(gallery))
    spans = query_blocks(len(query), len(gallery))
    return ((span.start, distances.between(span, everyone)) for span in spans)


def distance_blocks(distance: Tensor, protocol: Protocol) -> Iterator[Block]:
    """Copies of the rows of a distance matrix (Q, G), junk at infinity.

    ValueError names what does not fit, or the rows that hold NaN or infinity.
    """
    if distance.ndim != 2 or not distance.is_floating_point():
        shape = tuple(distance.shape)
        raise ValueError(f"distance must be floating point (Q, G), got {distance.dtype} {shape}")
    protocol.check_sizes(*distance.shape)
    precision = torch.promote_types(distance.dtype, torch.float32)
    for span in query_blocks(*distance.shape):
        block: Floats = distance[span].detach().to("cpu", precision, copy=True).numpy()
        broken = ~np.all(np.isfinite(block), axis=1)
        if broken.any():
            raise ValueError(f"distance has NaN or infinity in {name_rows(broken, span.start)}")
        block[:, protocol.junk] = np.inf
        yield span.start, block


def query_blocks(queries: int, items: int, share: Share = EVERYTHING) -> list[slice]:
    """Cut the queries evenly, for the distances to `items` gallery images at one time.

    Evenly, because a last block of one row would be multiplied by another kernel.
    """
    most = max(1, min(QUERY_BLOCK, ENTRIES // max(items, 1)))
    count = math.ceil(queries / most)
    part, parts = share
    ours = range(count * part // parts, count * (part + 1) // parts)
    return [slice(queries * n // count, queries * (n + 1) // count) for n in ours]


def item_blocks(protocol: Protocol) -> tuple[slice, list[slice]]:
    """Cut the gallery: the part to hold whole, with the queries' persons, and pieces of the rest.

    All of it is held where it is not large. Distractors that lie among the persons are held too.
    """
    everyone = len(protocol.gallery_pids)
    if QUERY_BLOCK * everyone <= ENTRIES:
        return slice(0, everyone), []
    asked = np.flatnonzero(np.isin(protocol.gallery_pids, protocol.query_pids))
    held = slice(int(asked[0]), int(asked[-1]) + 1) if len(asked) else slice(0, 1)
    step = max(1, ENTRIES // QUERY_BLOCK)
    rest = [
        slice(start, min(start + step, end))
        for first, end in ((0, held.start), (held.stop, everyone))
        for start in range(first, end, step)
    ]
    return held, rest
