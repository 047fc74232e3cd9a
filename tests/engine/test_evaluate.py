"""Scores of embeddings against the brute-force protocol (R28, A25)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from capnet.engine.embed import Embedded
from capnet.engine.evaluate import by_camera, evaluate, reranked
from capnet.records import UNKNOWN, Record
from capnet.settings import Rerank
from tests import reference
from tests.engine.tiny import EVALUATE


def settings(**changes):
    return EVALUATE.model_copy(update=changes)


def draw(people=6, images=5, junk=4, distractors=7, queries=2, seed=0):
    """Embeddings that find their person often but not always, of a set with junk in it."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((people + 1, 8))

    def row(pid, camid, split):
        near = centres[max(pid, 0)] + rng.standard_normal(8)
        return Record(f"{split}/{pid}", pid, camid, split, -1, ""), near

    pids = [p for p in range(1, people + 1) for _ in range(images)] + [-1] * junk
    pids += [0] * distractors
    gallery = [row(pid, int(rng.integers(1, 4)), "gallery") for pid in rng.permutation(pids)]
    query = [row(p, 1 + q, "query") for p in range(1, people + 1) for q in range(queries)]
    query.append(row(people, 1, "query"))
    return embedded(query, gallery)


def embedded(query, gallery):
    def normalised(rows):
        return F.normalize(torch.tensor(np.array([v for _, v in rows]), dtype=torch.float32))

    return Embedded(
        [record for record, _ in query],
        [record for record, _ in gallery],
        Path(),
        normalised(query),
        normalised(gallery),
    )


def judged(found, distance):
    return reference.rank_reference(distance, *(ids.tolist() for ids in found.ids()), max_rank=50)


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_the_brute_force_protocol(seed):
    found = draw(seed=seed)
    metrics = evaluate(found, settings(rerank=None))
    query, gallery = (side.double().numpy() for side in (found.query, found.gallery))
    distance = ((query[:, None] - gallery[None]) ** 2).sum(2)
    expected = judged(found, distance)
    for rank in (1, 5, 10, 20):
        assert metrics[f"rank{rank}"] == pytest.approx(expected["cmc"][rank - 1])
    assert metrics["mAP"] == pytest.approx(expected["mean_ap"])
    assert metrics["mINP"] == pytest.approx(expected["mean_inp"])
    assert 0.2 < metrics["mAP"] < 1  # neither perfect nor hopeless, so that it says something
    assert "reranked" not in metrics


@pytest.mark.parametrize("seed", range(2))
def test_reranked_scores_are_those_of_the_dense_algorithm(seed):
    found = draw(seed=seed)
    rerank = Rerank(k1=7, k2=3, lambda_value=0.3)
    distance = reference.rerank_reference(found.query.numpy(), found.gallery.numpy(), 7, 3, 0.3)
    metrics = evaluate(found, settings(rerank=rerank))
    expected = judged(found, distance)
    np.testing.assert_allclose(
        reranked(found, rerank, 50).average_precision, expected["average_precision"], atol=1e-9
    )
    assert metrics["reranked"]["rank1"] == pytest.approx(expected["cmc"][0])
    assert metrics["reranked"]["mAP"] == pytest.approx(expected["mean_ap"])
    assert metrics["reranked"].keys() == {"rank1", "rank5", "rank10", "rank20", "mAP", "mINP"}
    assert "k-reciprocal, k1 7, k2 3, lambda 0.3" in dict(metrics["protocol"])["reranking"]


def test_a_set_smaller_than_k1_can_be_reranked():
    found = draw(people=2, images=2, junk=0, distractors=0, queries=1)
    metrics = evaluate(found, settings())
    assert 0 <= metrics["reranked"]["mAP"] <= 1


def test_counts_say_what_the_scores_are_about():
    found = draw()
    lonely = Record("query/99", 99, 1, "query", -1, "")  # a person who is not in the gallery
    found = found._replace(
        queries=[*found.queries, lonely], query=torch.cat([found.query, found.query[:1]])
    )
    counts = evaluate(found, settings(rerank=None))["counts"]
    expected = judged(found, (1 - found.query @ found.gallery.T).numpy())
    assert counts["valid_queries"] == expected["num_valid_queries"] < counts["queries"]
    assert counts == counts | {"queries": 14, "gallery": 41, "junk": 4, "distractors": 7}
    assert counts["ties"] == 0


def test_ties_that_touch_a_right_answer_are_counted():
    found = draw(people=2, images=3, junk=0, distractors=2)
    found.gallery[:] = torch.eye(8)[0]  # a network that sees one image everywhere
    metrics = evaluate(found, settings(rerank=None))
    distance = np.zeros((len(found.query), len(found.gallery)))
    expected = judged(found, distance)
    assert metrics["counts"]["ties"] == expected["ties_touching_match"] > 0
    assert metrics["mAP"] == pytest.approx(expected["mean_ap"])  # gallery order decides


def test_junk_and_own_camera_change_nothing():
    found = draw(junk=0, queries=1)
    first = found._replace(queries=found.queries[:1], query=found.query[:1])
    assert (first.queries[0].pid, first.queries[0].camid) == (1, 1)
    ignored = [Record("junk", -1, 2, "gallery", -1, ""), Record("own", 1, 1, "gallery", -1, "")]
    more = first._replace(
        candidates=[*first.candidates, *ignored],
        gallery=torch.cat([first.gallery, first.query, first.query]),  # nearer than any other
    )
    one, other = (evaluate(each, settings(rerank=None)) for each in (first, more))
    assert all(one[name] == other[name] for name in ("rank1", "rank5", "mAP", "mINP"))


def test_ranks_beyond_the_gallery_are_its_last():
    found = draw(people=2, images=2, junk=0, distractors=0)
    metrics = evaluate(found, settings(ranks=[1, 70], rerank=None))
    assert metrics["rank70"] == 1
    assert "rank5" not in metrics


def test_scores_by_camera_are_those_of_that_cameras_gallery_alone():
    found = draw(queries=3)
    table = by_camera(found)
    assert not (table["query_camera"] == table["gallery_camera"]).any()
    for row in table.itertuples():
        queries = [i for i, r in enumerate(found.queries) if r.camid == row.query_camera]
        items = [i for i, r in enumerate(found.candidates) if r.camid == row.gallery_camera]
        part = Embedded(
            [found.queries[i] for i in queries],
            [found.candidates[i] for i in items],
            found.root,
            found.query[queries],
            found.gallery[items],
        )
        expected = judged(part, (1 - part.query @ part.gallery.T).numpy())
        assert row.queries == expected["num_valid_queries"]
        assert row.rank1 == pytest.approx(expected["cmc"][0])
        assert row.mAP == pytest.approx(expected["mean_ap"])


def test_unknown_cameras_have_no_scores_by_camera():
    found = draw()
    found.queries[0] = replace(found.queries[0], camid=UNKNOWN)
    assert len(by_camera(found)) == 0


def test_the_old_protocol_of_cuhk03_stands_beside_the_standard_one():
    found = draw(distractors=0)
    metrics = evaluate(found, settings(rerank=None, single_shot_trials=20))
    assert metrics["single_shot"].keys() == {"rank1", "rank5", "rank10", "rank20"}
    # One gallery image per person: six places at most, and fewer wrong ones in the way.
    assert metrics["single_shot"]["rank10"] == 1
    assert 0 < metrics["single_shot"]["rank1"] <= 1
    assert "20 trials" in dict(metrics["protocol"])["single_shot"]
    assert "single_shot" not in evaluate(found, settings(rerank=None))
