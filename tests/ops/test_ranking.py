"""The ranking against the oracle's full sort, by hand, and by what must not change it."""

import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from capnet.ops import distance as distances
from capnet.ops import ranking, tiles
from capnet.ops.ranking import rank_distance, rank_embeddings
from tests.ops.cases import (
    assert_agrees,
    assert_same,
    on_threads,
    random_case,
    squared_distance,
    whole_number_set,
)
from tests.reference import rank_reference

MARKET = Path(__file__).resolve().parents[3] / "shared" / "data" / "market1501-labels.npz"


@pytest.mark.parametrize("seed", range(10))
def test_rank_distance_agrees_with_the_oracle(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    for _ in range(80):
        monkeypatch.setattr(ranking, "_COPIED", int(rng.integers(1, 100)))
        queries, items, ids = random_case(rng)
        values = rng.choice([2, 5, 1000])  # from ties everywhere to hardly any
        distance = rng.integers(0, values, (queries, items)).astype(np.float32) / 8
        ranked = rank_distance(torch.from_numpy(distance), *ids, max_rank=12)
        assert_agrees(ranked, rank_reference(distance, *ids, max_rank=12))


@pytest.mark.parametrize("in_torch", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rank_embeddings_agrees_with_the_oracle(dtype, in_torch, monkeypatch):
    # Small whole numbers: every precision computes their distances exactly, ties included.
    monkeypatch.setattr(distances, "_torch_multiplies", lambda: in_torch)
    rng = np.random.default_rng(1)
    for _ in range(120):
        queries, items, ids = random_case(rng)
        width = rng.integers(1, 6)
        query, gallery = (rng.integers(-4, 5, (n, width)) for n in (queries, items))
        monkeypatch.setattr(tiles, "QUERIES", int(rng.integers(1, 9)))
        tensors = (torch.from_numpy(x).to(dtype) for x in (query, gallery))
        ranked = rank_embeddings(*tensors, *ids)
        assert_agrees(ranked, rank_reference(squared_distance(query, gallery), *ids))


@pytest.mark.parametrize("seed", range(3))
def test_rank_embeddings_of_real_numbers_agrees_with_the_oracle(seed):
    rng = np.random.default_rng(seed)
    query, gallery = rng.standard_normal((30, 8)), rng.standard_normal((200, 8))
    ids = (
        rng.integers(0, 9, 30),
        rng.integers(-1, 9, 200),
        rng.integers(0, 3, 30),
        rng.integers(0, 3, 200),
    )
    ranked = rank_embeddings(torch.from_numpy(query), torch.from_numpy(gallery), *ids)
    assert_agrees(ranked, rank_reference(squared_distance(query, gallery), *ids))


def test_ranking_worked_by_hand():
    # Camera of all queries 0, of all items 1. Item 3 is a distractor, nearer to query 1 than both
    # of its matches; query 2's only match comes last; query 3's person is not in the gallery.
    distance = torch.tensor(
        [[0.1, 0.2, 0.3, 0.4], [0.2, 0.9, 0.3, 0.1], [0.1, 0.2, 0.4, 0.3], [0.4, 0.3, 0.2, 0.1]]
    )
    ranked = rank_distance(
        distance, [1, 1, 2, 3], [1, 1, 2, 0], [0] * 4, torch.ones(4, dtype=torch.int64)
    )
    #   query 0: + + - -  AP 1                      INP 2/2
    #   query 1: - + - +  AP (1/2 + 2/4) / 2 = 1/2  INP 2/4
    #   query 2: - - - +  AP 1/4                    INP 1/4
    assert_allclose(ranked.average_precision, [1, 1 / 2, 1 / 4, math.nan])
    assert_allclose(ranked.inp, [1, 1 / 2, 1 / 4, math.nan])
    assert_array_equal(ranked.first_match_rank, [0, 1, 3, -1])
    assert_array_equal(ranked.valid, [True, True, True, False])
    assert ranked.mean_ap == pytest.approx(7 / 12)
    assert ranked.mean_inp == pytest.approx(7 / 12)
    assert_allclose(ranked.cmc, [1 / 3, 2 / 3, 2 / 3, *[1] * 47])
    assert (ranked.num_valid_queries, ranked.num_tied_matches) == (3, 0)


def test_no_valid_query_is_counted_not_crashed_on():
    ranked = rank_distance(torch.zeros(2, 3), [1, 2], [-1, 0, 1], [0, 0], [0, 0, 0], max_rank=4)
    assert ranked.num_valid_queries == 0
    assert np.isnan([ranked.mean_ap, ranked.mean_inp, *ranked.cmc]).all()
    assert len(ranked.cmc) == 4


@pytest.mark.parametrize("block", [1, 2, 7, 23, 1000])
def test_block_size_changes_nothing(block, monkeypatch):
    query, gallery, ids = whole_number_set()
    expected = rank_embeddings(query, gallery, *ids)
    monkeypatch.setattr(tiles, "QUERIES", block)
    monkeypatch.setattr(ranking, "_COPIED", block * len(gallery))
    assert_same(rank_embeddings(query, gallery, *ids), expected)
    distance = torch.cdist(query.double(), gallery.double()).square().round()
    assert_same(rank_distance(distance, *ids), expected)


@given(st.integers(0, 10_000), st.sampled_from([torch.float16, torch.bfloat16]))
def test_half_precision_is_that_of_its_float32_copy(seed, dtype):
    rng = np.random.default_rng(seed)
    queries, items, ids = random_case(rng)
    query, gallery = (
        torch.from_numpy(rng.standard_normal((n, 40))).to(dtype) for n in (queries, items)
    )
    expected = rank_embeddings(query.float(), gallery.float(), *ids)
    assert_same(rank_embeddings(query, gallery, *ids), expected)
    distance = torch.from_numpy(rng.random((queries, items))).to(dtype)
    assert_same(rank_distance(distance, *ids), rank_distance(distance.float(), *ids))


def test_views_and_gradients_are_welcome():
    query, gallery, ids = whole_number_set()
    expected = rank_embeddings(query, gallery, *ids)
    wide = torch.stack([query, query], dim=2).requires_grad_()
    turned = gallery.T.contiguous().T
    assert_same(rank_embeddings(wide[:, :, 0], turned, *map(torch.from_numpy, ids)), expected)


def test_the_distance_given_is_left_as_it_was():
    distance = torch.rand(3, 5)
    before = distance.clone()
    rank_distance(distance, [1, 2, 3], [1, 2, -1, 1, 3], [0, 1, 0], [0, 0, 0, 1, 1])
    assert torch.equal(distance, before)


def test_the_whole_distance_matrix_never_exists():
    query, gallery = torch.rand(2, 6000, 4)
    people = np.arange(6000)
    ids = (people, people, np.zeros_like(people), np.ones_like(people))
    tracemalloc.start()
    with on_threads(2):
        rank_embeddings(query, gallery, *ids)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6000 * 6000 * 4 / 4


@pytest.mark.skipif(not MARKET.exists(), reason=f"{MARKET.name} is not beside the repository")
@pytest.mark.parametrize("whole", [True, False])
def test_the_oracle_agrees_on_market_ids_and_cameras(whole):
    labels = np.load(MARKET)
    ids = [
        labels[f"{split}_{field}"] for field in ("pid", "camid") for split in ("query", "gallery")
    ]
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((ids[1].max() + 1, 16)) * 2
    query, gallery = (centres[pids] + rng.standard_normal((len(pids), 16)) for pids in ids[:2])
    if whole:  # exact in float32, with ties
        query, gallery = (np.rint(x).astype(np.float32) for x in (query, gallery))
    ranked = rank_embeddings(torch.from_numpy(query), torch.from_numpy(gallery), *ids)
    assert ranked.num_valid_queries == len(query) == 3368
    sample = [0, 1, 700, 1683, 3367]
    expected = rank_reference(
        squared_distance(query[sample], gallery),
        ids[0][sample].tolist(),
        ids[1].tolist(),
        ids[2][sample].tolist(),
        ids[3].tolist(),
    )
    assert_allclose(ranked.average_precision[sample], expected["average_precision"], rtol=1e-12)
    assert_array_equal(ranked.first_match_rank[sample], expected["first_match_rank"])
    assert (ranked.num_tied_matches > 0) == whole
    assert ranked.mean_ap == pytest.approx(ranked.average_precision.mean())
    assert ranked.cmc[0] == (ranked.first_match_rank == 0).mean()
