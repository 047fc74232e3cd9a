"""The ranking against the oracle's full sort, by hand, and by what must not change it."""

import dataclasses
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from capnet.ops import ranking
from capnet.ops.ranking import rank_distance, rank_embeddings, rank_lists
from tests.reference import rank_reference

MARKET = Path(__file__).resolve().parents[3] / "shared" / "data" / "market1501-labels.npz"


def assert_agrees(ranked, expected):
    for name in ("cmc", "mean_ap", "mean_inp", "average_precision"):
        assert_allclose(getattr(ranked, name), expected[name], rtol=1e-12, err_msg=name)
    assert_array_equal(ranked.first_match_rank, expected["first_match_rank"])
    assert_array_equal(ranked.valid, expected["first_match_rank"] >= 0)
    assert ranked.num_valid_queries == expected["num_valid_queries"]
    assert ranked.num_tied_matches == expected["ties_touching_match"]


def assert_same(ranked, other):
    for field in dataclasses.fields(ranked):
        assert_array_equal(getattr(ranked, field.name), getattr(other, field.name), field.name)


def random_case(rng):
    """Small and mean: few ids and cameras, junk, fewer items than ranks, queries without match."""
    queries, items = rng.integers(1, 7), rng.integers(1, 25)
    people, cameras = rng.integers(1, 6), rng.integers(1, 4)
    ids = (
        rng.integers(0, people + 1, queries),
        rng.integers(-1, people + 1, items),
        rng.integers(0, cameras, queries),
        rng.integers(0, cameras, items),
    )
    return queries, items, ids


def squared_distance(query, gallery):
    query, gallery = (np.asarray(x, dtype=np.float64) for x in (query, gallery))
    return ((query[:, None] - gallery[None]) ** 2).sum(axis=2)


@pytest.mark.parametrize("seed", range(10))
def test_rank_distance_agrees_with_the_oracle(seed):
    rng = np.random.default_rng(seed)
    for _ in range(80):
        queries, items, ids = random_case(rng)
        values = rng.choice([2, 5, 1000])  # from ties everywhere to hardly any
        distance = rng.integers(0, values, (queries, items)).astype(np.float32) / 8
        ranked = rank_distance(torch.from_numpy(distance), *ids, max_rank=12)
        assert_agrees(ranked, rank_reference(distance, *ids, max_rank=12))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rank_embeddings_agrees_with_the_oracle(dtype, monkeypatch):
    # Small whole numbers: every precision computes their distances exactly, ties included.
    rng = np.random.default_rng(1)
    for _ in range(120):
        queries, items, ids = random_case(rng)
        width = rng.integers(1, 6)
        query, gallery = (rng.integers(-4, 5, (n, width)) for n in (queries, items))
        monkeypatch.setattr(ranking, "_QUERY_BLOCK", int(rng.integers(1, 9)))
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


@st.composite
def one_query(draw):
    """One query of pid 1 and camera 0 with a match: distances that all differ, pids, camids."""
    items = draw(st.integers(1, 15))
    pids = draw(st.lists(st.integers(-1, 3), min_size=items, max_size=items))
    camids = draw(st.lists(st.integers(0, 2), min_size=items, max_size=items))
    match = draw(st.integers(0, items - 1))
    pids[match], camids[match] = 1, 1
    distances = draw(st.permutations(range(items)))
    return [float(d) for d in distances], pids, camids


def rank_one(distances, pids, camids):
    return rank_distance(torch.tensor([distances]), [1], pids, [0], camids)


@given(one_query())
def test_cmc_never_falls(case):
    cmc = rank_one(*case).cmc
    assert (np.diff(cmc) >= 0).all()
    assert cmc[-1] == 1


@given(one_query())
def test_mean_ap_is_one_exactly_when_the_matches_come_first(case):
    offered = sorted(
        (d, pid == 1)
        for d, pid, cam in zip(*case, strict=True)
        if pid >= 0 and (pid, cam) != (1, 0)
    )
    right = [match for _, match in offered]
    ranked = rank_one(*case)
    assert (ranked.mean_ap == 1) == (right == sorted(right, reverse=True))
    assert (ranked.mean_inp == 1) == (ranked.mean_ap == 1)


@given(one_query(), st.integers(0, 15), st.floats(0, 20, width=32), st.sampled_from([1, -1]))
def test_junk_and_own_camera_items_change_nothing(case, place, distance, pid):
    distances, pids, camids = ([*values] for values in case)
    for values, new in ((distances, distance), (pids, pid), (camids, 0)):
        values.insert(min(place, len(values)), new)
    assert_same(rank_one(distances, pids, camids), rank_one(*case))


@given(one_query(), st.randoms(use_true_random=False))
def test_gallery_order_changes_nothing_without_ties(case, random):
    items = list(zip(*case, strict=True))
    random.shuffle(items)
    assert_same(rank_one(*map(list, zip(*items, strict=True))), rank_one(*case))


@given(one_query(), st.floats(1e-3, 1e3))
def test_scale_changes_nothing(case, scale):
    distances, *ids = case
    assert_same(rank_one([d * scale for d in distances], *ids), rank_one(*case))


def whole_number_set(queries=23, items=90, width=3):
    rng = np.random.default_rng(7)
    query, gallery = (
        torch.from_numpy(rng.integers(-2, 3, (n, width))).float() for n in (queries, items)
    )
    ids = (
        rng.integers(0, 6, queries),
        rng.integers(-1, 6, items),
        rng.integers(0, 3, queries),
        rng.integers(0, 3, items),
    )
    return query, gallery, ids


@pytest.mark.parametrize("block", [1, 2, 7, 23, 1000])
def test_block_size_changes_nothing(block, monkeypatch):
    query, gallery, ids = whole_number_set()
    expected = rank_embeddings(query, gallery, *ids)
    monkeypatch.setattr(ranking, "_QUERY_BLOCK", block)
    assert_same(rank_embeddings(query, gallery, *ids), expected)
    distance = torch.cdist(query.double(), gallery.double()).square().round()
    assert_same(rank_distance(distance, *ids), expected)


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
    query, gallery = torch.rand(2, 3000, 4)
    people = np.arange(3000)
    ids = (people, people, np.zeros_like(people), np.ones_like(people))
    tracemalloc.start()
    rank_embeddings(query, gallery, *ids)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3000 * 3000 * 4 / 4


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


def test_rank_lists_are_the_head_of_a_stable_sort():
    query, gallery, ids = whole_number_set(items=12)
    items, distances = rank_lists(query, gallery, *ids, top=9)
    expected = squared_distance(query, gallery)
    for q, (pid, camid) in enumerate(zip(ids[0], ids[2], strict=True)):
        offered = [
            g for g in range(12) if ids[1][g] >= 0 and (ids[1][g], ids[3][g]) != (pid, camid)
        ]
        head = sorted(offered, key=lambda g: expected[q, g])[:9]
        missing = 9 - len(head)
        assert_array_equal(items[q], head + [-1] * missing)
        assert_array_equal(distances[q], [*expected[q, head], *[np.inf] * missing])
    assert (items == -1).any()


def test_rank_lists_of_a_gallery_shorter_than_the_list():
    items, distances = rank_lists(
        torch.zeros(1, 2), torch.ones(2, 2), [1], [2, 1], [0], [0, 1], top=4
    )
    assert_array_equal(items, [[0, 1, -1, -1]])
    assert_array_equal(distances, [[2, 2, np.inf, np.inf]])


GOOD = {
    "query": torch.zeros(2, 3),
    "gallery": torch.zeros(4, 3),
    "query_pids": [1, 2],
    "gallery_pids": [1, 2, 0, -1],
    "query_camids": [0, 0],
    "gallery_camids": [1, 1, 1, 1],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": torch.zeros(2, 4)}, r"query and gallery differ in width: 4 and 3"),
        ({"query": torch.zeros(2, 3).double()}, r"query and gallery differ in dtype"),
        ({"query": torch.zeros(2, 3, dtype=torch.int64)}, r"query must be floating point"),
        ({"query": torch.zeros(3)}, r"query must be \(images, D\)"),
        ({"query": torch.zeros(0, 3)}, r"query must be \(images, D\), not empty"),
        ({"gallery": torch.zeros(0, 3)}, r"gallery must be \(images, D\), not empty"),
        ({"query": torch.tensor([[0, 0, 0], [0, math.nan, 0]])}, r"query .* rows \[1\]"),
        ({"gallery": torch.full((4, 3), math.inf)}, r"gallery .* rows \[0, 1, 2, 3\]"),
        ({"gallery": torch.full((4, 3), 1e19)}, r"gallery .* huge values in rows"),
        ({"query": torch.zeros(2, 3, device="meta")}, r"query and gallery differ in device"),
        ({"query_pids": [1]}, r"query_camids has 2 entries"),
        ({"query_pids": [1] * 3, "query_camids": [0] * 3}, r"query_pids has 3 .* 2 images"),
        ({"gallery_camids": [1] * 5}, r"gallery_camids has 5 entries"),
        ({"gallery_pids": [1], "gallery_camids": [0]}, r"gallery_pids has 1 .* 4 images"),
        ({"gallery_pids": [[1, 2, 0, -1]]}, r"gallery_pids must be a list of integers"),
        ({"query_pids": [1.0, 2.0]}, r"query_pids must be a list of integers, got float64"),
        ({"query_pids": [1, -1]}, r"query_pids\[1\] is -1; the lowest value allowed is 0"),
        ({"gallery_pids": [1, -2, 0, 0]}, r"gallery_pids\[1\] is -2; .* -1"),
        ({"query_camids": [-1, 0]}, r"query_camids\[0\] is -1"),
        ({"gallery_camids": [0, 0, 0, -1]}, r"gallery_camids\[3\] is -1"),
        ({"max_rank": 0}, r"max_rank must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        rank_embeddings(**(GOOD | change))


@pytest.mark.parametrize(
    ("distance", "message"),
    [
        (torch.zeros(2, 5), r"gallery_pids has 4 entries for 5 images"),
        (torch.zeros(8), r"distance must be floating point \(Q, G\)"),
        (torch.zeros(2, 4, dtype=torch.int64), r"distance must be floating point \(Q, G\)"),
        (torch.tensor([[0.0] * 4, [0, math.inf, 0, 0]]), r"distance has .* rows \[1\]"),
        (torch.full((2, 4), math.nan), r"distance has NaN or infinity in rows \[0, 1\]"),
    ],
)
def test_bad_distance_is_named(distance, message, monkeypatch):
    monkeypatch.setattr(ranking, "_QUERY_BLOCK", 2)
    ids = [GOOD[f"{split}_{ids}"] for ids in ("pids", "camids") for split in ("query", "gallery")]
    with pytest.raises(ValueError, match=message):
        rank_distance(distance, *ids)


def test_a_list_needs_a_length():
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        rank_lists(**GOOD, top=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_device_changes_nothing(dtype):
    query, gallery, ids = whole_number_set()
    expected = rank_embeddings(query, gallery, *ids)
    with torch.autocast("cuda"):
        ranked = rank_embeddings(query.to("cuda", dtype), gallery.to("cuda", dtype), *ids)
    assert_same(ranked, expected)
    for ours, theirs in zip(
        rank_lists(query.cuda(), gallery.cuda(), *ids),
        rank_lists(query, gallery, *ids),
        strict=True,
    ):
        assert_array_equal(ours, theirs)
