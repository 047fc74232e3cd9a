"""Unknown cameras in a ranking: equal to no other camera, not even to another unknown one (A25)."""

from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from capnet.engine.embed import Embedded
from capnet.engine.evaluate import evaluate
from capnet.engine.exhibits import rank_list_exhibit
from capnet.records import UNKNOWN, Record
from tests.engine.tiny import EVALUATE


def settings(**changes):
    return EVALUATE.model_copy(update={"rerank": None, **changes})


def draw(unknown: float, seed: int) -> Embedded:
    """Embeddings of six people by three cameras, a share of which nobody noted; junk besides."""
    rng = np.random.default_rng(seed)
    numbers = count()

    def images(pids, split):
        cameras = np.where(rng.random(len(pids)) < unknown, UNKNOWN, rng.integers(0, 3, len(pids)))
        return [
            Record(f"{next(numbers)}.jpg", int(pid), int(camid), split, -1, "")
            for pid, camid in zip(pids, cameras, strict=True)
        ]

    queries = images(np.repeat(np.arange(1, 7), 2), "query")
    gallery = images(rng.permutation([*np.repeat(np.arange(1, 7), 4), -1, -1, 0, 0, 0]), "gallery")
    rows = (torch.from_numpy(rng.standard_normal((len(r), 4))).float() for r in (queries, gallery))
    return Embedded(queries, gallery, Path(), *(F.normalize(each) for each in rows))


def lists(embedded):
    """Each query with what counts for it, nearest first, by the words of the protocol alone."""
    for query, vector in zip(embedded.queries, embedded.query, strict=True):
        known = query.camid != UNKNOWN
        near = [
            (float((vector - other).square().sum()), image)
            for image, other in zip(embedded.candidates, embedded.gallery, strict=True)
            if image.pid != -1
            and not (known and image.pid == query.pid and image.camid == query.camid)
        ]
        yield query, [image for _, image in sorted(near, key=lambda pair: pair[0])]


@pytest.mark.parametrize("unknown", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_the_words_of_the_protocol(unknown, seed):
    embedded = draw(unknown, seed)
    precision, first = [], []
    for query, images in lists(embedded):
        right = [place for place, image in enumerate(images, 1) if image.pid == query.pid]
        if right:
            precision.append(np.mean([i / place for i, place in enumerate(right, 1)]))
            first.append(right[0] == 1)
    metrics = evaluate(embedded, settings())
    assert metrics["mAP"] == pytest.approx(np.mean(precision))
    assert metrics["rank1"] == pytest.approx(np.mean(first))
    assert metrics["counts"]["valid_queries"] == len(first)


@pytest.mark.parametrize("unknown", [0.3, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_rank_lists_show_what_counts(unknown, seed):
    embedded = draw(unknown, seed)
    exhibit = rank_list_exhibit(embedded, settings(gallery_lists=99))
    wrong = []
    for entry, (query, images) in zip(exhibit.shown, lists(embedded), strict=True):
        assert entry["camid"] == query.camid
        assert [found["path"] for found in entry["results"]] == [r.path for r in images[:10]]
        if any(image.pid == query.pid for image in images):
            wrong.append(sum(image.pid != query.pid for image in images[:10]))
    assert exhibit.wrong_in_top10 == pytest.approx(np.mean(wrong))


def test_known_cameras_keep_their_numbers_and_unknown_ones_share_none():
    embedded = draw(0.5, 7)
    _, _, *sides = (ids.tolist() for ids in embedded.ids())
    given = [record.camid for record in (*embedded.queries, *embedded.candidates)]
    new = [number for side in sides for number in side]
    assert all(b == a for a, b in zip(given, new, strict=True) if a != UNKNOWN)
    invented = [b for a, b in zip(given, new, strict=True) if a == UNKNOWN]
    assert len(set(invented)) == len(invented) > 0
    assert not set(invented) & set(given)
    assert min(new) >= 0
