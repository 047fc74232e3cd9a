"""The evaluation protocol by a full stable sort of every query's gallery (R28, A25)."""

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

JUNK_PID = -1


class Ranked(TypedDict):
    """What `rank_reference` returns; all scores are fractions."""

    cmc: Array  # (max_rank,), cmc[0] = rank-1
    mean_ap: float
    mean_inp: float
    num_valid_queries: int
    average_precision: Array  # (Q,), nan for a query without a match
    first_match_rank: NDArray[np.int64]  # (Q,), 0 = the best place, -1 without a match
    ties_touching_match: int


def rank_reference(
    distance: ArrayLike,
    query_pids: Sequence[int],
    gallery_pids: Sequence[int],
    query_camids: Sequence[int],
    gallery_camids: Sequence[int],
    max_rank: int = 50,
) -> Ranked:
    """CMC, mAP and mINP of a distance matrix (Q, G), ties decided by gallery order (A25).

    Left out of a query's list: junk (pid -1) and items of the query's own pid and camera. A query
    whose list then holds no match is invalid and enters no mean; with no valid query the means are
    nan. AP is the mean, over the matches, of the precision at the match's place; INP is the number
    of matches over the place of the last one. The CMC goes on at its last value past the end of the
    gallery. ties_touching_match counts the matches (over all queries) whose distance is exactly
    that of another item of the same list, match or not.
    """
    distance = np.asarray(distance, dtype=np.float64)
    queries = len(query_pids)
    average_precision = np.full(queries, math.nan)
    inverse_penalty = np.full(queries, math.nan)
    first_match_rank = np.full(queries, -1, dtype=np.int64)
    ties = 0
    for q in range(queries):
        kept = [
            g
            for g in range(len(gallery_pids))
            if gallery_pids[g] != JUNK_PID
            and not (gallery_pids[g] == query_pids[q] and gallery_camids[g] == query_camids[q])
        ]
        ranked = sorted(kept, key=lambda g: distance[q, g])
        places = [i for i, g in enumerate(ranked) if gallery_pids[g] == query_pids[q]]
        if not places:
            continue
        first_match_rank[q] = places[0]
        precisions = [(found + 1) / (place + 1) for found, place in enumerate(places)]
        average_precision[q] = sum(precisions) / len(places)
        inverse_penalty[q] = len(places) / (places[-1] + 1)
        for place in places:
            same = [g for g in ranked if distance[q, g] == distance[q, ranked[place]]]
            ties += len(same) > 1
    valid = first_match_rank >= 0
    cmc = [_mean(first_match_rank[valid] <= rank) for rank in range(max_rank)]
    return {
        "cmc": np.array(cmc),
        "mean_ap": _mean(average_precision[valid]),
        "mean_inp": _mean(inverse_penalty[valid]),
        "num_valid_queries": int(valid.sum()),
        "average_precision": average_precision,
        "first_match_rank": first_match_rank,
        "ties_touching_match": ties,
    }


def _mean(values: ArrayLike) -> float:
    """The mean, or nan of nothing."""
    values = np.asarray(values, dtype=np.float64)
    return float(values.sum() / len(values)) if len(values) else math.nan


def single_shot_reference(
    distance: ArrayLike,
    query_pids: Sequence[int],
    gallery_pids: Sequence[int],
    query_camids: Sequence[int],
    gallery_camids: Sequence[int],
    trials: int,
    seed: int,
) -> tuple[NDArray[np.int64], int]:
    """Places (Q, trials) of the one right answer in single-gallery-shot lists, and the ties.

    In a trial each gallery item has a number, of PCG64([seed, trial])'s raw stream. A query's list
    holds, of each person (junk is none), the item with the lowest number among those by another
    camera than the query's. -1 where the query's person is not in it. Ties: right answers at
    exactly the distance of another item of the list, over all trials.
    """
    distance = np.asarray(distance, dtype=np.float64)
    places = np.full((len(query_pids), trials), -1, dtype=np.int64)
    ties = 0
    for trial in range(trials):
        stream = np.random.PCG64([seed, trial])
        numbers = [int(stream.random_raw()) for _ in gallery_pids]
        for q in range(len(query_pids)):
            drawn = []
            for person in set(gallery_pids) - {JUNK_PID}:
                shots = _shots(person, gallery_pids, query_camids[q], gallery_camids)
                if shots:
                    drawn.append(min(shots, key=lambda g: numbers[g]))
            ranked = sorted(sorted(drawn), key=lambda g: distance[q, g])
            for place, g in enumerate(ranked):
                if gallery_pids[g] == query_pids[q]:
                    places[q, trial] = place
                    ties += [distance[q, other] for other in ranked].count(distance[q, g]) > 1
    return places, ties


def single_shot_expected_rank1(
    distance: ArrayLike,
    query_pids: Sequence[int],
    gallery_pids: Sequence[int],
    query_camids: Sequence[int],
    gallery_camids: Sequence[int],
) -> float:
    """Rank-1 over every possible draw of one item per person, for distances that all differ.

    A match that is drawn comes first if no other person's draw is nearer, and each person's item is
    drawn evenly and apart from the others'.
    """
    distance = np.asarray(distance, dtype=np.float64)
    chances = []
    for q, pid in enumerate(query_pids):
        matches = _shots(pid, gallery_pids, query_camids[q], gallery_camids)
        if not matches:
            continue
        chance = 0.0
        for match in matches:
            first = 1.0
            for person in set(gallery_pids) - {JUNK_PID, pid}:
                shots = _shots(person, gallery_pids, query_camids[q], gallery_camids)
                if shots:
                    first *= sum(distance[q, g] > distance[q, match] for g in shots) / len(shots)
            chance += first / len(matches)
        chances.append(chance)
    return _mean(chances)


def _shots(
    person: int, gallery_pids: Sequence[int], query_camid: int, gallery_camids: Sequence[int]
) -> list[int]:
    """A person's gallery items by another camera than the query's."""
    return [
        g
        for g in range(len(gallery_pids))
        if gallery_pids[g] == person and gallery_camids[g] != query_camid
    ]


def camera_pair_reference(
    distance: ArrayLike,
    query_pids: Sequence[int],
    gallery_pids: Sequence[int],
    query_camids: Sequence[int],
    gallery_camids: Sequence[int],
    query_camera: int,
    gallery_camera: int,
) -> Ranked | None:
    """The ranking of one camera's queries in one camera's gallery; None where either is empty."""
    distance = np.asarray(distance, dtype=np.float64)
    rows = [q for q in range(len(query_camids)) if query_camids[q] == query_camera]
    columns = [g for g in range(len(gallery_camids)) if gallery_camids[g] == gallery_camera]
    if not rows or not columns:
        return None
    return rank_reference(
        [[distance[q, g] for g in columns] for q in rows],
        [query_pids[q] for q in rows],
        [gallery_pids[g] for g in columns],
        [query_camids[q] for q in rows],
        [gallery_camids[g] for g in columns],
    )
