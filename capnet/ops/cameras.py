"""How well people are found again from one camera to another (A25)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from capnet.ops.distance import comparable, squared_norms
from capnet.ops.protocol import Ids, Ints, Protocol
from capnet.ops.ranking import rank_embeddings


@dataclass(frozen=True, eq=False)
class CameraPairs:
    """Scores [a, b] of the queries by cameras[a] in the gallery by cameras[b], as fractions.

    num_queries (C, C): queries with a match there, none of which is left out of the means. rank1,
    mean_ap (C, C): NaN where there is no such query, as on the diagonal: a person's images by the
    query's own camera do not count.
    """

    cameras: Ints  # (C,) camids of queries and gallery, rising
    num_queries: Ints
    rank1: NDArray[np.float64]
    mean_ap: NDArray[np.float64]


def rank_by_cameras(
    query: Tensor,
    gallery: Tensor,
    query_pids: Ids,
    gallery_pids: Ids,
    query_camids: Ids,
    gallery_camids: Ids,
) -> CameraPairs:
    """Rank the gallery of each camera alone for the queries of each other camera.

    As `rank_embeddings` otherwise, and about as long. ValueError names what does not fit.
    """
    protocol = Protocol.of(query_pids, gallery_pids, query_camids, gallery_camids)
    query, gallery = comparable(query, gallery)
    protocol.check_sizes(len(query), len(gallery))
    squared_norms(query, "query")
    squared_norms(gallery, "gallery")
    cameras = np.unique(np.concatenate([protocol.query_camids, protocol.gallery_camids]))
    shape = (len(cameras), len(cameras))
    counts, rank1, mean_ap = (
        np.zeros(shape, np.int64),
        np.full(shape, np.nan),
        np.full(shape, np.nan),
    )
    for b, a in permutations(range(len(cameras)), 2):
        seekers = np.flatnonzero(protocol.query_camids == cameras[a])
        items = np.flatnonzero(protocol.gallery_camids == cameras[b])
        if len(seekers) and len(items):
            ranked = rank_embeddings(
                query[torch.from_numpy(seekers)],
                gallery[torch.from_numpy(items)],
                protocol.query_pids[seekers],
                protocol.gallery_pids[items],
                protocol.query_camids[seekers],
                protocol.gallery_camids[items],
                max_rank=1,
            )
            counts[a, b], mean_ap[a, b] = ranked.num_valid_queries, ranked.mean_ap
            rank1[a, b] = ranked.cmc[0]
    return CameraPairs(cameras, counts, rank1, mean_ap)
