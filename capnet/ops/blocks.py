"""Distances from some queries at a time to the whole gallery (A16, A25)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from capnet.ops.distance import Floats, comparable, name_rows, shifted_distances, squared_norms
from capnet.ops.protocol import Protocol
from capnet.ops.tiles import evenly, length
from capnet.ops.workers import Room

QUERY_BLOCK = 384  # rows at one time: 24 MiB on Market, 120 on MSMT17
ENTRIES = 2**25  # distances at one time, 128 MiB

Block = tuple[int, Floats]  # the first query, and the distances (n, G) from it and those after it


@dataclass(frozen=True, eq=False)
class Distances:
    """Squared distances less the row's own |q|^2, junk at infinity.

    Those that a thread asks for last until it asks again.
    """

    query: Tensor  # (Q, D)
    gallery: Tensor  # (G, D)
    norms: Floats  # (G,) |g|^2, infinity for junk
    room: Room

    @classmethod
    def of(cls, query: Tensor, gallery: Tensor, protocol: Protocol, entries: int) -> Distances:
        """Check everything, and make room for so many distances at one time.

        ValueError names the argument or the rows that do not fit.
        """
        query, gallery = comparable(query, gallery)
        protocol.check_sizes(len(query), len(gallery))
        squared_norms(query, "query")
        norms = squared_norms(gallery, "gallery")
        norms[protocol.junk] = np.inf
        return cls(query, gallery, norms, Room(entries, norms.dtype))

    def between(self, queries: slice, items: slice) -> Floats:
        """Return the distances (n, m) of some queries and some gallery items."""
        out = self.room.table(length(queries), length(items))
        return shifted_distances(
            self.query[queries], self.gallery[items], self.norms[items], out=out
        )


def embedding_blocks(query: Tensor, gallery: Tensor, protocol: Protocol) -> Iterator[Block]:
    """`Distances` to the whole gallery; a block lasts until the next, errors come before the first.

    ValueError names the argument or the rows that do not fit.
    """
    everyone = slice(0, len(gallery))
    spans = query_blocks(len(query), len(gallery))
    distances = Distances.of(query, gallery, protocol, length(spans[-1]) * len(gallery))
    return ((span.start, distances.between(span, everyone)) for span in spans)


def copied_rows(distance: Tensor, queries: slice, protocol: Protocol) -> Floats:
    """Copy some rows of a distance matrix (Q, G), at least in float32, junk at infinity.

    ValueError names the rows that hold NaN or infinity.
    """
    precision = torch.promote_types(distance.dtype, torch.float32)
    rows: Floats = distance[queries].detach().to("cpu", precision, copy=True).numpy()
    broken = ~np.all(np.isfinite(rows), axis=1)
    if broken.any():
        raise ValueError(f"distance has NaN or infinity in {name_rows(broken, queries.start)}")
    rows[:, protocol.junk] = np.inf
    return rows


def query_blocks(queries: int, items: int) -> list[slice]:
    """Cut the queries evenly, for the distances to `items` gallery images at one time.

    Evenly, because a last block of one row would be multiplied by another kernel.
    """
    most = max(1, min(QUERY_BLOCK, ENTRIES // max(items, 1)))
    return evenly(0, queries, math.ceil(queries / most))
