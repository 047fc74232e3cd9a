"""CUHK03's old protocol: one random gallery image per person (Li et al., CVPR 2014).

In each trial a query's list holds one image of each person, drawn from the images by other cameras
than the query's; the CMC is the mean over the trials. Toolboxes differ: some also draw images by
the query's own camera for everyone but the query's person, which makes the lists harder. There is
one right answer in a list, hence no mAP: the mAP that toolboxes print beside this CMC is that of
the whole gallery, `rank_embeddings(...).mean_ap`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from capnet.ops.blocks import embedding_blocks
from capnet.ops.distance import Floats
from capnet.ops.protocol import Ids, Ints, Protocol
from capnet.ops.scores import check_rank, cmc_of

_DISTRACTOR = 0


@dataclass(frozen=True, eq=False)
class SingleShot:
    """Scores of single-gallery-shot lists, as fractions; NaN where no query has a match.

    cmc (max_rank,): share of the valid queries' lists, over all trials, with the match among the
    first k + 1. match_rank (Q, trials): place of the match, 0 the best, -1 without one.
    num_tied_matches: over all trials, matches that gallery order alone placed.
    """

    cmc: NDArray[np.float64]
    num_valid_queries: int
    num_tied_matches: int
    match_rank: Ints


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What each trial offers to the queries of one camera."""

    persons: Ints  # (P,) their pids, rising
    items: Ints  # (trials, P) an image of each


def rank_single_shot(
    query: Tensor,
    gallery: Tensor,
    query_pids: Ids,
    gallery_pids: Ids,
    query_camids: Ids,
    gallery_camids: Ids,
    *,
    trials: int = 100,
    seed: int = 0,
    max_rank: int = 50,
) -> SingleShot:
    """Rank one gallery image per person for each query, `trials` times, by embeddings (., D).

    Trial t of a seed draws the same images on every machine, for all queries of a camera: of each
    person's, the one whose number in the raw stream of PCG64([seed, t]), one per gallery image, is
    the lowest. Equal distances keep gallery order. ValueError names what does not fit; distractors
    (pid 0) do not: nobody knows which of them show one person.
    """
    check_rank(max_rank)
    for name, value, least in (("trials", trials, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    protocol = Protocol.of(query_pids, gallery_pids, query_camids, gallery_camids)
    distractors = np.count_nonzero(protocol.gallery_pids == _DISTRACTOR)
    if distractors:
        raise ValueError(
            f"gallery_pids has {distractors} distractors (pid 0), of which no image per person can "
            "be drawn; leave them out"
        )
    blocks = embedding_blocks(query, gallery, protocol)
    drawn = _draw(protocol, trials, seed)
    match_rank = np.full((len(protocol.query_pids), trials), -1, dtype=np.int64)
    tied = 0
    for start, block in blocks:
        (answered, _), _ = protocol.same_person(slice(start, start + len(block)))
        for row in np.unique(answered):
            number = start + row
            offer = drawn[int(protocol.query_camids[number])]
            place, ties = _places(block[row], offer, protocol.query_pids[number])
            match_rank[number] = place
            tied += ties
    valid = match_rank[:, 0] >= 0
    return SingleShot(
        cmc_of(match_rank[valid].ravel(), max_rank), int(valid.sum()), tied, match_rank
    )


def _draw(protocol: Protocol, trials: int, seed: int) -> dict[int, _Drawn]:
    """Draw an image per person and trial for the queries of each camera."""
    offers = {
        int(camera): np.flatnonzero(~protocol.junk & (protocol.gallery_camids != camera))
        for camera in np.unique(protocol.query_camids)
    }
    drawn: dict[int, list[Ints]] = {camera: [] for camera in offers}
    for trial in range(trials):
        # The raw stream: NumPy keeps it through all versions, which it does not promise of choice.
        numbers = np.random.PCG64([seed, trial]).random_raw(len(protocol.junk))
        for camera, items in offers.items():
            shuffled = items[np.argsort(numbers[items], kind="stable")]
            _, lowest = np.unique(protocol.gallery_pids[shuffled], return_index=True)
            drawn[camera].append(shuffled[lowest])
    return {
        camera: _Drawn(np.unique(protocol.gallery_pids[items]), np.stack(drawn[camera]))
        for camera, items in offers.items()
    }


def _places(row: Floats, offer: _Drawn, pid: np.int64) -> tuple[Ints, int]:
    """Return the match's place in each trial (trials,), and how often it tied with an item."""
    match = offer.persons.searchsorted(pid)
    distance = row[offer.items]
    wanted, item = distance[:, match, None], offer.items[:, match, None]
    equal = distance == wanted
    before = (distance < wanted) | (equal & (offer.items < item))
    return before.sum(axis=1), int(np.count_nonzero(equal.sum(axis=1) > 1))
