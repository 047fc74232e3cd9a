"""How well each query finds its person again: CMC, mAP and mINP (R28), and its rank list (Fig. 3).

A query's list is the gallery by rising distance under `capnet.ops.protocol`; equal distances keep
gallery order. A worker has a tile of the distances at one time (`capnet.ops.tiles`).
"""

from __future__ import annotations

import math

import numpy as np
import torch.distributed as dist
from torch import Tensor

from capnet.ops.blocks import Distances, copied_rows, embedding_blocks
from capnet.ops.collective import world_size
from capnet.ops.distance import Floats, check_tensor, comparable, squared_norms
from capnet.ops.places import Matches, Places
from capnet.ops.protocol import Ids, Ints, Protocol
from capnet.ops.scores import Ranking, check_rank, score
from capnet.ops.tiles import EVERYTHING, Part, Share, cut, evenly
from capnet.ops.workers import workers

__all__ = [
    "Places",
    "Ranking",
    "place_share",
    "rank_distance",
    "rank_embeddings",
    "rank_lists",
    "rank_together",
]

_COPIED = 2**20  # distances of a given matrix that a worker copies at one time, 4 MiB


def rank_embeddings(
    query: Tensor,
    gallery: Tensor,
    query_pids: Ids,
    gallery_pids: Ids,
    query_camids: Ids,
    gallery_camids: Ids,
    *,
    max_rank: int = 50,
) -> Ranking:
    """Rank the gallery (G, D) for each query (Q, D) by squared Euclidean distance (A16, A25).

    Half precision is copied to float32, float64 stays; the product is done on the embeddings'
    device, the rest on the CPU. Ties are those of the computed distances. ValueError names the
    argument or the rows that do not fit.
    """
    check_rank(max_rank)
    ids = (query_pids, gallery_pids, query_camids, gallery_camids)
    return score(place_share(query, gallery, *ids), max_rank)


def place_share(
    query: Tensor,
    gallery: Tensor,
    query_pids: Ids,
    gallery_pids: Ids,
    query_camids: Ids,
    gallery_camids: Ids,
    *,
    share: Share = EVERYTHING,
) -> Places:
    """Place the matches of part `share` = (i, n) of n parts of the queries, from all embeddings.

    `score(Places.merge(parts), max_rank)` of the n parts in order is `rank_embeddings`, to the last
    bit. Parts are runs of whole blocks of queries, so where n is large some are empty.
    """
    part, parts = share
    if not 0 <= part < parts:
        raise ValueError(f"share must be (i, n) with 0 <= i < n, got {share}")
    protocol = Protocol.of(query_pids, gallery_pids, query_camids, gallery_camids)
    ours = cut(protocol, share)
    most = max((one.entries for one in ours), default=0)
    distances = Distances.of(query, gallery, protocol, most)

    def seek(part: Part) -> Matches:
        held = distances.between(part.queries, part.held)
        return Matches(held, part.queries.start, protocol, part.held.start)

    def count(part: Part, matches: Matches, items: slice) -> None:
        block = distances.between(part.queries, items)
        matches.add(block, earlier=items.stop <= part.held.start)

    with workers() as pool:
        sought = [pool.submit(seek, part) for part in ours]
        counts = [
            pool.submit(count, part, matches.result(), items)
            for part, matches in zip(ours, sought, strict=True)
            for items in part.rest
        ]
        for one in counts:
            one.result()
        return Places.merge([matches.result().places() for matches in sought])


def rank_together(
    query: Tensor,
    gallery: Tensor,
    query_pids: Ids,
    gallery_pids: Ids,
    query_camids: Ids,
    gallery_camids: Ids,
    *,
    max_rank: int = 50,
) -> Ranking:
    """`rank_embeddings` with the queries shared out over the processes of the group (A27).

    Every process calls it with all embeddings and ids, and gets the Ranking that one process alone
    would find: to the last bit, on processors of one kind. Without a process group it is
    `rank_embeddings`.
    """
    check_rank(max_rank)
    ids = (query_pids, gallery_pids, query_camids, gallery_camids)
    if world_size() == 1:
        return rank_embeddings(query, gallery, *ids, max_rank=max_rank)
    ours = place_share(query, gallery, *ids, share=(dist.get_rank(), world_size()))
    parts = [ours] * world_size()
    dist.all_gather_object(parts, ours)
    return score(Places.merge(parts), max_rank)


def rank_distance(
    distance: Tensor,
    query_pids: Ids,
    gallery_pids: Ids,
    query_camids: Ids,
    gallery_camids: Ids,
    *,
    max_rank: int = 50,
) -> Ranking:
    """Rank the gallery for each query by a distance matrix (Q, G) that is given (A25).

    ValueError names the argument or the rows that do not fit.
    """
    check_rank(max_rank)
    check_tensor("distance", distance)
    if distance.ndim != 2 or not distance.is_floating_point():
        shape = tuple(distance.shape)
        raise ValueError(f"distance must be floating point (Q, G), got {distance.dtype} {shape}")
    protocol = Protocol.of(query_pids, gallery_pids, query_camids, gallery_camids)
    protocol.check_sizes(*distance.shape)

    def seek(queries: slice) -> Places:
        rows = copied_rows(distance, queries, protocol)
        return Matches(rows, queries.start, protocol).places()

    pieces = min(len(distance), math.ceil(distance.numel() / _COPIED))
    with workers() as pool:
        places = list(pool.map(seek, evenly(0, len(distance), pieces)))
    return score(Places.merge(places), max_rank)


def rank_lists(
    query: Tensor,
    gallery: Tensor,
    query_pids: Ids,
    gallery_pids: Ids,
    query_camids: Ids,
    gallery_camids: Ids,
    *,
    top: int = 10,
) -> tuple[Ints, Floats]:
    """Return each query's nearest gallery items (Q, top) and their squared distances (Q, top).

    Items that A25 leaves out do not appear; a list that ends early goes on with -1 at infinity.
    """
    if top < 1:
        raise ValueError(f"top must be at least 1, got {top}")
    query, gallery = comparable(query, gallery)
    protocol = Protocol.of(query_pids, gallery_pids, query_camids, gallery_camids)
    blocks = embedding_blocks(query, gallery, protocol)
    items = np.full((len(query), top), -1, dtype=np.int64)
    distances = np.full((len(query), top), np.inf, dtype=np.float32)
    norms = squared_norms(query, "query")
    for start, block in blocks:
        _, own_camera = protocol.same_person(slice(start, start + len(block)))
        block[own_camera] = np.inf
        for number, row in enumerate(block, start):
            limit = np.partition(row, top - 1)[top - 1] if top < len(row) else np.inf
            near = np.flatnonzero((row <= limit) & (row < np.inf))
            near = near[np.argsort(row[near], kind="stable")][:top]
            items[number, : len(near)] = near
            distances[number, : len(near)] = np.maximum(row[near] + norms[number], 0)
    return items, distances
