"""Which queries one model serves otherwise than another on the same test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from capnet.ops.protocol import Ints


class Scored(Protocol):
    """Scores by query, as those of a `Ranking`."""

    @property
    def average_precision(self) -> NDArray[np.float64]:
        """(Q,), NaN for a query without a match."""

    @property
    def first_match_rank(self) -> Ints:
        """(Q,) place of the first match, 0 the best, -1 without one."""


@dataclass(frozen=True, eq=False)
class Changes:
    """The n queries whose scores changed, from the greatest loss to the greatest gain.

    Both changes are after less before: of the average precision, where a rise is good, and of the
    first match's place, where a fall is.
    """

    query: Ints  # (n,) numbers of the queries
    average_precision: NDArray[np.float64]  # (n,) in [-1, 1]
    first_match_rank: Ints  # (n,)


def changed_queries(before: Scored, after: Scored) -> Changes:
    """Sort the queries by the change of average precision, then of the first match's place.

    Queries without a match, and those with both as before, are left out. ValueError where the
    rankings are not of the same queries.
    """
    valid, still = before.first_match_rank >= 0, after.first_match_rank >= 0
    if not np.array_equal(valid, still):
        raise ValueError(
            f"before and after rank other queries: {len(valid)} and {len(still)}, "
            f"{valid.sum()} and {still.sum()} with a match"
        )
    gain = np.where(valid, after.average_precision - before.average_precision, 0)
    shift = after.first_match_rank - before.first_match_rank
    order = np.lexsort((-shift, gain))
    query = order[(gain[order] != 0) | (shift[order] != 0)]
    return Changes(query, gain[query], shift[query])


def first_difference(before: Ints, after: Ints) -> Ints:
    """Return the first place at which the lists (Q, top) of `rank_lists` differ, -1 if nowhere.

    ValueError where the lists are not of the same queries and length.
    """
    if before.ndim != 2 or before.shape != after.shape:
        raise ValueError(
            f"before and after must both be lists (Q, top), got {before.shape} and {after.shape}"
        )
    differ = before != after
    return np.where(differ.any(axis=1), differ.argmax(axis=1), -1)
