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

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from capnet.ops.blocks import QUERY_BLOCK, Block, query_blocks
from capnet.ops.distance import (
    Floats,
    check_comparable,
    comparable,
    shifted_distances,
    squared_norms,
)
from capnet.ops.encoding import IMAGES, Rows, average, encode
from capnet.ops.memory import check_memory
from capnet.ops.neighbours import Neighbours, nearest_neighbours
from capnet.ops.places import place_matches
from capnet.ops.protocol import Ids, Protocol
from capnet.ops.scores import Ranking, check_rank, score


def k_reciprocal_distance(
    query: Tensor, gallery: Tensor, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> Tensor:
    """Return (1 - lambda) Jaccard + lambda original, (Q, D), (G, D) -> (Q, G) float32 in [0, 1].

    On the CPU, computed in float32, the product on the embeddings' device. ValueError names the
    argument that does not fit; MemoryError says how much is needed where the machine has less.
    """
    encoded = _encoded(query, gallery, k1, k2, lambda_value, whole=True)
    distance = encoded.known.distance
    _mix(distance, 0, encoded, lambda_value)
    return torch.from_numpy(distance)


def reranked_blocks(
    query: Tensor, gallery: Tensor, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> Iterator[Block]:
    """`k_reciprocal_distance` some queries at a time, (first query, rows), never all at once.

    It multiplies queries and gallery a second time, so rows may differ in the last bits. A block
    lasts until the next. All errors are raised before the first block.
    """
    encoded = _encoded(query, gallery, k1, k2, lambda_value, whole=False)
    query, gallery = encoded.query, encoded.gallery
    norms, offered = squared_norms(query, "query"), squared_norms(gallery, "gallery")

    def blocks() -> Iterator[Block]:
        buffer = np.empty((min(len(query), QUERY_BLOCK), len(gallery)), dtype=np.float32)
        for span in query_blocks(len(query), len(gallery)):
            rows = buffer[: span.stop - span.start]
            shifted_distances(query[span], gallery, offered, out=rows)
            rows += norms[span, None]
            np.maximum(rows, 0, out=rows)
            _mix(rows, span.start, encoded, lambda_value)
            yield span.start, rows

    return blocks()


def rank_reranked(
    query: Tensor,
    gallery: Tensor,
    query_pids: Ids,
    gallery_pids: Ids,
    query_camids: Ids,
    gallery_camids: Ids,
    *,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    max_rank: int = 50,
) -> Ranking:
    """Rank by the re-ranked distances (A25) without ever holding all of them.

    Junk takes part in the re-ranking, as in the published protocol, and not in the lists. Errors as
    `rank_embeddings` and `k_reciprocal_distance`.
    """
    check_rank(max_rank)
    check_comparable(query, gallery)
    protocol = Protocol.of(query_pids, gallery_pids, query_camids, gallery_camids)
    protocol.check_sizes(len(query), len(gallery))
    blocks = reranked_blocks(query, gallery, k1, k2, lambda_value)
    return score(place_matches(_without_junk(blocks, protocol), protocol), max_rank)


def rerank_memory(
    num_query: int, num_gallery: int, dim: int, k1: int, *, whole: bool = True
) -> int:
    """Estimate the bytes that `k_reciprocal_distance` takes, result included, inputs not.

    With `whole` False those of `rank_reranked`, which holds some rows of the result at a time. Both
    copy embeddings that are not float32, which comes on top.
    """
    rows = num_query if whole else min(num_query, QUERY_BLOCK)
    result = 4 * rows * num_gallery
    encoding = 200 * (k1 + 1) * (num_query + num_gallery)
    blocks = 2**25 * (1 + torch.get_num_threads()) + 24 * IMAGES * dim
    return result + encoding + blocks


@dataclass(frozen=True, eq=False)
class _Encoded:
    """All that the distance of a query and a gallery item is made of."""

    query: Tensor  # (Q, D) float32
    gallery: Tensor  # (G, D) float32
    known: Neighbours
    farthest: Floats  # (N,) squared distance of each image's farthest, 1 where that is 0
    encoding: Rows  # of all images
    holders: Rows  # by image: the gallery items whose encoding holds it, and how much


def _encoded(
    query: Tensor, gallery: Tensor, k1: int, k2: int, lambda_value: float, whole: bool
) -> _Encoded:
    """Check everything, then do steps 1 to 5; `whole` keeps the distances (Q, G)."""
    check_comparable(query, gallery)
    images = len(query) + len(gallery)
    _check_neighbours("k1", k1, images - 1)
    _check_neighbours("k2", k2, images)
    if not 0 <= lambda_value <= 1:
        raise ValueError(f"lambda_value must be in [0, 1], got {lambda_value}")
    _check_memory(query, gallery, k1, whole)
    query, gallery = (embeddings.float() for embeddings in comparable(query, gallery))
    for name, embeddings in (("query", query), ("gallery", gallery)):
        squared_norms(embeddings, name)  # refuses what is not finite
    known = nearest_neighbours(query, gallery, max(k1 + 1, k2), keep_distance=whole)
    farthest = np.where(known.farthest > 0, known.farthest, 1)  # all images alike: distance 0
    encoding = encode(query, gallery, known, farthest, k1)
    if k2 > 1:
        encoding = average(encoding, known.order[:, :k2])
    holders = _holders(encoding, len(query), len(gallery))
    return _Encoded(query, gallery, known, farthest, encoding, holders)


def _holders(encoding: Rows, queries: int, gallery: int) -> Rows:
    """Turn the gallery's part of the encodings round: rows are all images, columns its items."""
    first = encoding.start[queries]
    by_column = np.argsort(encoding.column[first:], kind="stable") + first
    item = np.repeat(np.arange(gallery), np.diff(encoding.start[queries:]))
    return Rows.of(
        encoding.column[by_column],
        item[by_column - first],
        encoding.value[by_column],
        queries + gallery,
    )


def _mix(distance: Floats, start: int, encoded: _Encoded, lambda_value: float) -> None:
    """Turn squared distances (n, G) of the queries from `start` on into re-ranked ones (step 6)."""
    encoding, gallery = encoded.encoding, distance.shape[1]
    for number, row in enumerate(distance, start):
        own = slice(encoding.start[number], encoding.start[number + 1])
        position, holder, value = encoded.holders.take(encoding.column[own])
        shared = np.bincount(holder, np.minimum(value, encoding.value[own][position]), gallery)
        row *= lambda_value / encoded.farthest[number]
        row += (1 - lambda_value) * (1 - shared / (2 - shared))


def _without_junk(blocks: Iterator[Block], protocol: Protocol) -> Iterator[Block]:
    for start, block in blocks:
        block[:, protocol.junk] = np.inf
        yield start, block


def _check_neighbours(name: str, k: int, most: int) -> None:
    if not 1 <= k <= most:
        raise ValueError(f"{name} must be between 1 and {most} for this many images, got {k}")


def _check_memory(query: Tensor, gallery: Tensor, k1: int, whole: bool) -> None:
    copies = sum(4 * x.numel() for x in (query, gallery) if x.dtype != torch.float32)
    needed, in_blocks = (
        copies + rerank_memory(len(query), len(gallery), query.shape[1], k1, whole=held)
        for held in (whole, False)
    )
    remedy = "rank without it or with fewer gallery images"
    if whole:
        remedy = f"`rank_reranked` scores it in about {in_blocks / 2**30:.1f} GiB"
    check_memory(needed, "re-ranking", remedy)
