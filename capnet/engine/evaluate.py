"""What embeddings are worth for retrieval, with and without re-ranking (R28, A25)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from capnet.engine.embed import Embedded
from capnet.ops.ranking import Ranking, rank_distance, rank_embeddings
from capnet.ops.rerank import k_reciprocal_distance
from capnet.records import DISTRACTOR, JUNK
from capnet.settings import Evaluate, Rerank


def evaluate(embedded: Embedded, settings: Evaluate) -> dict[str, Any]:
    """CMC, mAP and mINP (fractions), again after re-ranking, the counts, and the protocol.

    The protocol is a list of (choice, words): DVC shows the rest as a table of numbers.
    """
    ranking = rank(embedded, settings)
    metrics: dict[str, Any] = {
        "protocol": list(protocol(settings).items()),
        **scores(ranking, settings.ranks),
    }
    if settings.rerank is not None:
        distance = reranked(embedded, settings.rerank)
        again = rank_distance(distance, *embedded.ids(), max_rank=max(settings.ranks))
        metrics["reranked"] = scores(again, settings.ranks)
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


def rank(embedded: Embedded, settings: Evaluate) -> Ranking:
    """Rank the gallery for every query under the standard protocol (A25)."""
    return rank_embeddings(
        embedded.query, embedded.gallery, *embedded.ids(), max_rank=max(settings.ranks)
    )


def scores(ranking: Ranking, ranks: Sequence[int]) -> dict[str, float]:
    """CMC at `ranks`, mAP and mINP as named fractions."""
    cmc = {f"rank{rank}": float(ranking.cmc[rank - 1]) for rank in ranks}
    return cmc | {"mAP": float(ranking.mean_ap), "mINP": float(ranking.mean_inp)}


def reranked(embedded: Embedded, settings: Rerank) -> Tensor:
    """Distances (Q, G) after k-reciprocal re-ranking; k1 and k2 bounded by a tiny set."""
    k1 = min(settings.k1, len(embedded.query) + len(embedded.gallery) - 1)
    return k_reciprocal_distance(
        embedded.query, embedded.gallery, k1, min(settings.k2, k1), settings.lambda_value
    )


def protocol(settings: Evaluate) -> dict[str, str]:
    """The choices behind the numbers, in words."""
    rerank = settings.rerank
    return {
        "ignored": "gallery images of the query's person by the query's camera, and junk (pid -1)",
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
    }
