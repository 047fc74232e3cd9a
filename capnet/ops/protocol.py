"""Who counts as right, wrong or absent in a query's list of gallery items (R28, A25).

Absent: junk (pid -1) and items of the query's own pid and camera. Right: the other items of the
query's pid. Everything else is wrong, so Market's distractors of pid 0, which no query has, are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Ids = Sequence[int] | NDArray[np.integer[Any]] | Tensor
Ints = NDArray[np.int64]
Pairs = tuple[Ints, Ints]  # (n,) queries, (n,) gallery items

_JUNK = -1
_HIGHEST = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Protocol:
    """The ids of Q queries and G gallery items, checked, and the gallery sorted by pid."""

    query_pids: Ints  # (Q,)
    gallery_pids: Ints  # (G,)
    query_camids: Ints  # (Q,)
    gallery_camids: Ints  # (G,)
    junk: NDArray[np.bool_]  # (G,)
    by_pid: Ints  # (G,) gallery items by pid, those of one pid in gallery order
    first: Ints  # (Q,) where the query's pid begins in by_pid
    last: Ints  # (Q,) and where it has ended

    @classmethod
    def of(
        cls, query_pids: Ids, gallery_pids: Ids, query_camids: Ids, gallery_camids: Ids
    ) -> Protocol:
        """Check the ids; ValueError names the argument that does not fit."""
        wanted = _ids(query_pids, "query_pids", lowest=0)
        offered = _ids(gallery_pids, "gallery_pids", lowest=_JUNK)
        by_pid = np.argsort(offered, kind="stable")
        ordered = offered[by_pid]
        return cls(
            query_pids=wanted,
            gallery_pids=offered,
            query_camids=_ids(query_camids, "query_camids", lowest=0, length=len(wanted)),
            gallery_camids=_ids(gallery_camids, "gallery_camids", lowest=0, length=len(offered)),
            junk=offered == _JUNK,
            by_pid=by_pid,
            first=ordered.searchsorted(wanted),
            last=ordered.searchsorted(wanted, "right"),
        )

    def check_sizes(self, queries: int, gallery: int) -> None:
        """Raise ValueError unless there is one id for each query and each gallery item."""
        for name, ids, images in (
            ("query_pids", self.query_pids, queries),
            ("gallery_pids", self.gallery_pids, gallery),
        ):
            if len(ids) != images:
                raise ValueError(f"{name} has {len(ids)} entries for {images} images")

    def extents(self) -> tuple[Ints, Ints]:
        """Return where the gallery items of each query's pid begin (Q,), and where they end.

        For a pid that is not in the gallery: G and 0.
        """
        known = self.last > self.first
        low = np.full(len(known), len(self.by_pid))
        high = np.zeros_like(low)
        low[known] = self.by_pid[self.first[known]]
        high[known] = self.by_pid[self.last[known] - 1] + 1
        return low, high

    def same_person(self, queries: slice) -> tuple[Pairs, Pairs]:
        """Pair the queries with the gallery items of their pid: matches, those by their own camera.

        Queries are counted from the slice's start and rise; a query's items are in gallery order.
        """
        first, count = self.first[queries], (self.last - self.first)[queries]
        query = np.repeat(np.arange(len(count)), count)
        within = np.arange(len(query)) - (count.cumsum() - count)[query]
        item = self.by_pid[first[query] + within]
        own = self.gallery_camids[item] == self.query_camids[queries][query]
        return (query[~own], item[~own]), (query[own], item[own])


def _ids(values: Ids, name: str, lowest: int, length: int | None = None) -> Ints:
    if values is None:
        raise ValueError(
            f"{name} is None; where cameras are unknown, give 0 for each query and 1 for each "
            "gallery image, and no image is left out"
        )
    ids = values.cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if ids.size == 0:
        raise ValueError(f"{name} is empty")
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(f"{name} must be a list of integers, got {ids.dtype} {ids.shape}")
    if length is not None and len(ids) != length:
        raise ValueError(f"{name} has {len(ids)} entries, the pids beside it {length}")
    if ids.min() < lowest:
        row = int(np.flatnonzero(ids < lowest)[0])
        raise ValueError(f"{name}[{row}] is {ids[row]}; the lowest value allowed is {lowest}")
    if ids.max() > _HIGHEST:
        row = int(np.flatnonzero(ids > _HIGHEST)[0])
        raise ValueError(f"{name}[{row}] is {ids[row]}; the highest value allowed is {_HIGHEST}")
    return ids.astype(np.int64)
