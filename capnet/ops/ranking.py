"""How well each query finds its person again: CMC, mAP and mINP (R28), and its rank list (Fig. 3).

A query's list is the gallery by rising distance under `capnet.ops.protocol`; equal distances keep
gallery order. A match's place is the number of items before it, which needs the items nearer than
the last match and no others, so rows are rarely sorted whole; and only `_QUERY_BLOCK` rows of
distances exist at one time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from capnet.ops.distance import (
    Floats,
    comparable,
    name_rows,
    shifted_distances,
    squared_norms,
)
from capnet.ops.protocol import Ids, Ints, Protocol

_QUERY_BLOCK = 384  # fewer rows slow the product, more cost memory: 24 MiB on Market, 120 on MSMT17


@dataclass(frozen=True, eq=False)
class Ranking:
    """Scores of a ranking, as fractions; a mean over no valid query is NaN.

    cmc (max_rank,): share of valid queries with a match among the first k + 1; past the end of the
    gallery it keeps its last value. average_precision, inp (Q,): NaN for a query without a match.
    first_match_rank (Q,): place of the first match, 0 the best, -1 without one. num_tied_matches:
    matches at exactly the distance of another item of their list, placed by gallery order alone.
    """

    cmc: NDArray[np.float64]
    mean_ap: float
    mean_inp: float
    num_valid_queries: int
    num_tied_matches: int
    average_precision: NDArray[np.float64]
    inp: NDArray[np.float64]
    first_match_rank: Ints

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Queries (Q,) that have a match to find; the others are left out of the means."""
        return self.first_match_rank >= 0


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

    Half precision is computed in float32, float64 in float64, on the embeddings' device. Ties are
    those of the computed distances. ValueError names the argument or the rows that do not fit.
    """
    protocol = Protocol.of(query_pids, gallery_pids, query_camids, gallery_camids)
    return _score(_embedding_blocks(query, gallery, protocol), protocol, max_rank)


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
    protocol = Protocol.of(query_pids, gallery_pids, query_camids, gallery_camids)
    return _score(_distance_blocks(distance, protocol), protocol, max_rank)


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
    items = np.full((len(query), top), -1, dtype=np.int64)
    distances = np.full((len(query), top), np.inf, dtype=np.float32)
    norms = squared_norms(query, "query")
    for start, block in _embedding_blocks(query, gallery, protocol):
        for number, row in enumerate(block, start):
            row[protocol.same_person(number)[1]] = np.inf
            limit = np.partition(row, top - 1)[top - 1] if top < len(row) else np.inf
            near = np.flatnonzero((row <= limit) & (row < np.inf))
            near = near[np.argsort(row[near], kind="stable")][:top]
            items[number, : len(near)] = near
            distances[number, : len(near)] = np.maximum(row[near] + norms[number], 0)
    return items, distances


def _embedding_blocks(
    query: Tensor, gallery: Tensor, protocol: Protocol
) -> Iterator[tuple[int, Floats]]:
    """Yield (first query, distances less |q|^2) for each block of queries, junk at infinity."""
    query, gallery = comparable(query, gallery)
    protocol.check_sizes(len(query), len(gallery))
    squared_norms(query, "query")
    norms = squared_norms(gallery, "gallery")
    norms[protocol.junk] = np.inf
    buffer = np.empty((min(len(query), _QUERY_BLOCK), len(gallery)), dtype=norms.dtype)
    start = 0
    for part in _query_blocks(query):
        yield start, shifted_distances(part, gallery, norms, out=buffer[: len(part)])
        start += len(part)


def _distance_blocks(distance: Tensor, protocol: Protocol) -> Iterator[tuple[int, Floats]]:
    """Yield (first query, copy of the distances) for each block of queries, junk at infinity."""
    if distance.ndim != 2 or not distance.is_floating_point():
        shape = tuple(distance.shape)
        raise ValueError(f"distance must be floating point (Q, G), got {distance.dtype} {shape}")
    protocol.check_sizes(*distance.shape)
    precision = torch.promote_types(distance.dtype, torch.float32)
    start = 0
    for part in _query_blocks(distance):
        block: Floats = part.detach().to("cpu", precision, copy=True).numpy()
        broken = ~np.all(np.isfinite(block), axis=1)
        if broken.any():
            raise ValueError(f"distance has NaN or infinity in {name_rows(broken, start)}")
        block[:, protocol.junk] = np.inf
        yield start, block
        start += len(part)


def _query_blocks(rows: Tensor) -> tuple[Tensor, ...]:
    """Split rows evenly: a last block of one row would be multiplied by another kernel."""
    return rows.tensor_split(math.ceil(len(rows) / _QUERY_BLOCK))


def _score(blocks: Iterator[tuple[int, Floats]], protocol: Protocol, max_rank: int) -> Ranking:
    """Place every match, then average."""
    if max_rank < 1:
        raise ValueError(f"max_rank must be at least 1, got {max_rank}")
    places: list[Ints] = []
    tied = 0
    for start, block in blocks:
        for number, row in enumerate(block, start):
            matches, own_camera = protocol.same_person(number)
            row[own_camera] = np.inf
            found, ties = _places(row, matches) if len(matches) else (matches, 0)
            places.append(found)
            tied += ties
    return _average(places, tied, max_rank)


def _places(row: Floats, matches: Ints) -> tuple[Ints, int]:
    """Return the matches' places in the list, rising, and how many of them tie with an item."""
    wanted = row[matches]
    near = row <= wanted.max()
    few = np.count_nonzero(near) * 8 < len(row)  # picking many costs more than sorting all
    ordered = np.sort(row[near] if few else row)
    places = ordered.searchsorted(wanted)
    tied = np.flatnonzero(ordered.searchsorted(wanted, "right") - places > 1)
    for n in tied:
        places[n] += np.count_nonzero(row[: matches[n]] == wanted[n])
    places.sort()
    return places, len(tied)


def _average(places: list[Ints], tied: int, max_rank: int) -> Ranking:
    """Turn each query's rising places into its scores and their means over the valid queries."""
    count = np.array([len(found) for found in places])
    flat, end = np.concatenate(places), count.cumsum()
    start, valid = end - count, count > 0
    query = np.repeat(np.arange(len(places)), count)
    precision = (np.arange(len(flat)) - start[query] + 1) / (flat + 1)
    average_precision = np.full(len(places), np.nan)
    average_precision[valid] = (np.bincount(query, precision, len(places)) / count.clip(1))[valid]
    inp = np.full(len(places), np.nan)
    inp[valid] = count[valid] / (flat[end[valid] - 1] + 1)
    first = np.full(len(places), -1, dtype=np.int64)
    first[valid] = flat[start[valid]]
    number = int(valid.sum())
    hits = np.bincount(first[valid].clip(max=max_rank), minlength=max_rank + 1)[:max_rank]
    return Ranking(
        cmc=hits.cumsum() / number if number else np.full(max_rank, np.nan),
        mean_ap=float(average_precision[valid].mean()) if number else float("nan"),
        mean_inp=float(inp[valid].mean()) if number else float("nan"),
        num_valid_queries=number,
        num_tied_matches=tied,
        average_precision=average_precision,
        inp=inp,
        first_match_rank=first,
    )
