"""Distances from the queries to the gallery, some queries at a time (A16, A25).

The blocks are cut by the number of queries alone, and a share of the work is some whole blocks: so
a process that does its share multiplies just what one that does everything would, and the numbers
are the same to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from capnet.ops.distance import Floats, comparable, name_rows, shifted_distances, squared_norms
from capnet.ops.protocol import Protocol

QUERY_BLOCK = 384  # fewer rows slow the product, more cost memory: 24 MiB on Market, 120 on MSMT17

Block = tuple[int, Floats]  # the first query, and the distances (n, G) from it and those after it
Share = tuple[int, int]  # (i, n): the i-th of n parts of the work, counted from 0
EVERYTHING: Share = (0, 1)


def embedding_blocks(
    query: Tensor, gallery: Tensor, protocol: Protocol, share: Share = EVERYTHING
) -> Iterator[Block]:
    """Squared distances less the row's own |q|^2, junk at infinity; a block lasts until the next.

    ValueError, before the first block, names the argument or the rows that do not fit.
    """
    query, gallery = comparable(query, gallery)
    protocol.check_sizes(len(query), len(gallery))
    squared_norms(query, "query")
    norms = squared_norms(gallery, "gallery")
    norms[protocol.junk] = np.inf
    spans = query_blocks(len(query), share)

    def blocks() -> Iterator[Block]:
        buffer = np.empty((min(len(query), QUERY_BLOCK), len(gallery)), dtype=norms.dtype)
        for span in spans:
            part = query[span]
            yield span.start, shifted_distances(part, gallery, norms, out=buffer[: len(part)])

    return blocks()


def distance_blocks(distance: Tensor, protocol: Protocol) -> Iterator[Block]:
    """Copies of the rows of a distance matrix (Q, G), junk at infinity.

    ValueError names what does not fit, or the rows that hold NaN or infinity.
    """
    if distance.ndim != 2 or not distance.is_floating_point():
        shape = tuple(distance.shape)
        raise ValueError(f"distance must be floating point (Q, G), got {distance.dtype} {shape}")
    protocol.check_sizes(*distance.shape)
    precision = torch.promote_types(distance.dtype, torch.float32)
    for span in query_blocks(len(distance)):
        block: Floats = distance[span].detach().to("cpu", precision, copy=True).numpy()
        broken = ~np.all(np.isfinite(block), axis=1)
        if broken.any():
            raise ValueError(f"distance has NaN or infinity in {name_rows(broken, span.start)}")
        block[:, protocol.junk] = np.inf
        yield span.start, block


def query_blocks(queries: int, share: Share = EVERYTHING) -> list[slice]:
    """Cut the queries evenly: a last block of one row would be multiplied by another kernel."""
    count = math.ceil(queries / QUERY_BLOCK)
    part, parts = share
    ours = range(count * part // parts, count * (part + 1) // parts)
    return [slice(queries * n // count, queries * (n + 1) // count) for n in ours]
