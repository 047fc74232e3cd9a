"""From the places of the matches in the queries' lists to CMC, mAP and mINP (R28, A25)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capnet.ops.places import Places
from capnet.ops.protocol import Ints


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


def check_rank(max_rank: int) -> None:
    """Raise ValueError unless a curve can be that long; it may be longer than the gallery."""
    if max_rank < 1:
        raise ValueError(f"max_rank must be at least 1, got {max_rank}")


def cmc_of(first: Ints, max_rank: int) -> NDArray[np.float64]:
    """Share of lists whose first match stands at 0 ... max_rank - 1 or before; NaN of no list."""
    if not len(first):
        return np.full(max_rank, np.nan)
    hits = np.bincount(first.clip(max=max_rank), minlength=max_rank + 1)[:max_rank]
    return hits.cumsum() / len(first)


def score(places: Places, max_rank: int) -> Ranking:
    """Turn each query's places into its scores and their means over the valid queries."""
    count, flat = places.count, places.place
    queries, valid = len(count), count > 0
    end = count.cumsum()
    start = end - count
    query = np.repeat(np.arange(queries), count)
    precision = (np.arange(len(flat)) - start[query] + 1) / (flat + 1)
    average_precision = np.full(queries, np.nan)
    average_precision[valid] = (np.bincount(query, precision, queries) / count.clip(1))[valid]
    inp = np.full(queries, np.nan)
    inp[valid] = count[valid] / (flat[end[valid] - 1] + 1)
    first = np.full(queries, -1, dtype=np.int64)
    first[valid] = flat[start[valid]]
    number = int(valid.sum())
    return Ranking(
        cmc=cmc_of(first[valid], max_rank),
        mean_ap=float(average_precision[valid].mean()) if number else float("nan"),
        mean_inp=float(inp[valid].mean()) if number else float("nan"),
        num_valid_queries=number,
        num_tied_matches=places.num_tied,
        average_precision=average_precision,
        inp=inp,
        first_match_rank=first,
    )
