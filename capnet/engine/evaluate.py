"""What embeddings are worth for retrieval, with and without re-ranking (R28, A25)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from capnet.engine.embed import Embedded, Trained, embed_test
from capnet.ops.cameras import rank_by_cameras
from capnet.ops.ranking import Ranking, rank_embeddings
from capnet.ops.rerank import rank_reranked
from capnet.ops.single_shot import rank_single_shot
from capnet.records import DISTRACTOR, JUNK, UNKNOWN, Record
from capnet.settings import Evaluate, Rerank


def evaluate(
    embedded: Embedded,
    settings: Evaluate,
    release: str | None = None,
    ranking: Ranking | None = None,
) -> dict[str, Any]:
    """CMC, mAP and mINP (fractions), again after re-ranking, the counts, and the protocol.

    The protocol is a list of (choice, words): DVC shows the rest as a table of numbers. `release`
    is the data set's, where it has several that differ (A24); `ranking` is `rank`'s, if known.
    """
    ranking = ranking or rank(embedded, settings)
    stamp = {"release": release} if release else {}
    metrics: dict[str, Any] = {
        "protocol": list((protocol(settings) | stamp).items()),
        **scores(ranking, settings.ranks),
    }
    if settings.rerank is not None:
        again = reranked(embedded, settings.rerank, max_rank=max(settings.ranks))
        metrics["reranked"] = scores(again, settings.ranks)
    if settings.single_shot_trials:
        metrics["single_shot"] = single_shot(embedded, settings)
    pids = [record.pid for record in embedded.candidates]
    metrics["counts"] = {
        "queries": len(embedded.queries),
        "valid_queries": ranking.num_valid_queries,
        "gallery": len(pids),
        "junk": pids.count(JUNK),
        "distractors": pids.count(DISTRACTOR),
        "ties": ranking.num_tied_matches,
    }
    return metrics


def progress(
    kept: Iterable[Trained], records: Sequence[Record], root: Path, settings: Evaluate
) -> list[dict[str, float]]:
    """Epoch and scores of each network that a training kept on its way (`train.keep_every`)."""
    return [
        {"epoch": trained.epoch}
        | scores(rank(embed_test(trained, records, root, settings), settings), settings.ranks)
        for trained in kept
    ]


def rank(embedded: Embedded, settings: Evaluate) -> Ranking:
    """Rank the gallery for every query under the standard protocol (A25)."""
    return rank_embeddings(
        embedded.query, embedded.gallery, *embedded.ids(), max_rank=max(settings.ranks)
    )


def scores(ranking: Ranking, ranks: Sequence[int]) -> dict[str, float]:
    """CMC at `ranks`, mAP and mINP as named fractions."""
    cmc = {f"rank{rank}": float(ranking.cmc[rank - 1]) for rank in ranks}
    return cmc | {"mAP": float(ranking.mean_ap), "mINP": float(ranking.mean_inp)}


def reranked(embedded: Embedded, settings: Rerank, max_rank: int) -> Ranking:
    """Rank after k-reciprocal re-ranking; k1 and k2 are bounded by a tiny set."""
    k1 = min(settings.k1, len(embedded.query) + len(embedded.gallery) - 1)
    return rank_reranked(
        embedded.query,
        embedded.gallery,
        *embedded.ids(),
        k1=k1,
        k2=min(settings.k2, k1),
        lambda_value=settings.lambda_value,
        max_rank=max_rank,
    )


def single_shot(embedded: Embedded, settings: Evaluate) -> dict[str, float]:
    """CMC with one random gallery image per person, averaged over trials: CUHK03's old protocol."""
    drawn = rank_single_shot(
        embedded.query,
        embedded.gallery,
        *embedded.ids(),
        trials=settings.single_shot_trials,
        max_rank=max(settings.ranks),
    )
    return {f"rank{rank}": float(drawn.cmc[rank - 1]) for rank in settings.ranks}


def by_camera(embedded: Embedded) -> pd.DataFrame:
    """Scores from each camera to each other, as fractions: one row per pair that has queries.

    Columns query_camera, gallery_camera, queries, rank1, mAP; empty where a camera is unknown.
    """
    columns = ["query_camera", "gallery_camera", "queries", "rank1", "mAP"]
    if any(r.camid == UNKNOWN for r in (*embedded.queries, *embedded.candidates)):
        return pd.DataFrame(columns=columns)
    pairs = rank_by_cameras(embedded.query, embedded.gallery, *embedded.ids())
    rows = [
        (seeker, sought, pairs.num_queries[a, b], pairs.rank1[a, b], pairs.mean_ap[a, b])
        for a, seeker in enumerate(pairs.cameras)
        for b, sought in enumerate(pairs.cameras)
        if pairs.num_queries[a, b]
    ]
    return pd.DataFrame(rows, columns=columns)


def protocol(settings: Evaluate) -> dict[str, str]:
    """The choices behind the numbers, in words."""
    rerank = settings.rerank
    return {
        "ignored": "gallery images of the query's person by the query's camera, and junk (pid -1)",
        "unknown cameras": "equal to no other: nothing is ignored for them, which is optimistic",
        "distractors": "pid 0 stays in the gallery and is always wrong",
        "queries": "those without a right answer are counted and left out of the means",
        "ties": "gallery order decides",
        "mAP": "mean precision at the right answers, not interpolated",
        "distance": "Euclidean between embeddings after the neck, of length 1",
        "flip_average": "yes" if settings.flip_average else "no",
        "reranking": (
            f"k-reciprocal, k1 {rerank.k1}, k2 {rerank.k2}, lambda {rerank.lambda_value}"
            if rerank
            else "none"
        ),
        "single_shot": (
            f"{settings.single_shot_trials} trials of one random gallery image per person, by "
            "other cameras than the query's"
            if settings.single_shot_trials
            else "none"
        ),
    }
