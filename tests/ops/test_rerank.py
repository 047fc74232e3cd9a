"""The re-ranking against the dense oracle, and by what the formula promises."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from capnet.ops import encoding, neighbours
from capnet.ops.neighbours import nearest_neighbours
from capnet.ops.ranking import rank_distance, rank_embeddings
from capnet.ops.rerank import k_reciprocal_distance
from tests.ops.cases import assert_same, on_threads, people
from tests.reference import rerank_reference

LAMBDAS = st.integers(0, 64).map(lambda n: n / 64)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_oracle(seed, whole, monkeypatch):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        queries, items, width = rng.integers(1, [8, 16, 5])
        query, gallery = (rng.standard_normal((n, width)) * 2 for n in (queries, items))
        if whole:  # equal distances and identical images everywhere, exact in every precision
            query, gallery = np.rint(query), np.rint(gallery)
        query, gallery = torch.from_numpy(query).float(), torch.from_numpy(gallery).float()
        k1 = int(rng.integers(1, queries + items))
        k2 = int(rng.integers(1, queries + items + 1))
        lambda_value = float(rng.random())
        monkeypatch.setattr(neighbours, "_TILE", int(rng.integers(1, 20)))
        monkeypatch.setattr(encoding, "IMAGES", int(rng.integers(1, 20)))
        result = k_reciprocal_distance(query, gallery, k1, k2, lambda_value)
        expected = rerank_reference(query.numpy(), gallery.numpy(), k1, k2, lambda_value)
        assert result.dtype == torch.float32
        assert_allclose(result, expected, atol=2e-6)


@pytest.mark.parametrize(("k1", "k2"), [(20, 6), (9, 3), (5, 1)])
def test_agrees_with_the_oracle_on_people(k1, k2):
    query, gallery, _ = people(np.random.default_rng(k1), 12, 68)
    result = k_reciprocal_distance(query, gallery, k1, k2)
    assert_allclose(result, rerank_reference(query, gallery, k1, k2), atol=2e-6)


def test_half_precision_is_read_as_float32():
    query, gallery, _ = people(np.random.default_rng(0), 5, 30)
    query, gallery = query.bfloat16(), gallery.bfloat16()
    result = k_reciprocal_distance(query, gallery, 6, 3)
    assert_allclose(result, rerank_reference(query.float(), gallery.float(), 6, 3), atol=2e-6)


@pytest.mark.parametrize("tile", [1, 3, 16, 50])
def test_tiles_change_nothing(tile, monkeypatch):
    rng = np.random.default_rng(2)
    query, gallery = (torch.from_numpy(rng.integers(-2, 3, (n, 3))).float() for n in (7, 43))
    expected = k_reciprocal_distance(query, gallery, 8, 4)
    monkeypatch.setattr(neighbours, "_TILE", tile)
    monkeypatch.setattr(encoding, "IMAGES", tile)
    assert torch.equal(k_reciprocal_distance(query, gallery, 8, 4), expected)


@pytest.mark.parametrize("tile", [2, 5, 100])
def test_neighbours_are_the_head_of_a_stable_sort(tile, monkeypatch):
    monkeypatch.setattr(neighbours, "_TILE", tile)
    rng = np.random.default_rng(3)
    query, gallery = (torch.from_numpy(rng.integers(-1, 2, (n, 2))).float() for n in (6, 21))
    found = nearest_neighbours(query, gallery, 9)
    images = torch.cat([query, gallery]).numpy()
    expected = ((images[:, None] - images[None]) ** 2).sum(axis=2)
    order = np.argsort(expected, axis=1, kind="stable")[:, :9]
    assert np.array_equal(found.order, order)
    assert np.array_equal(found.nearest, np.take_along_axis(expected, order, axis=1))
    assert np.array_equal(found.farthest, expected.max(axis=1))
    assert np.array_equal(found.distance, expected[:6, 6:])


def test_the_number_of_threads_changes_nothing(monkeypatch):
    monkeypatch.setattr(neighbours, "_TILE", 16)
    rng = np.random.default_rng(5)
    # Persons so close that rounding alone orders them, and tiles that compete for the same rows.
    query, gallery = (
        torch.from_numpy(1 + 1e-4 * rng.standard_normal((n, 64))).float() for n in (60, 300)
    )
    found = {}
    for threads in (1, 2, 5):
        with on_threads(threads):
            found[threads] = nearest_neighbours(query, gallery, 20)
    assert_same(found[2], found[1])
    assert_same(found[5], found[1])


def test_lambda_one_is_the_original_distance_over_the_query_s_largest():
    query, gallery, _ = people(np.random.default_rng(4), 4, 20)
    images = torch.cat([query, gallery]).double()
    original = torch.cdist(images, images).square()[:4]
    expected = original[:, 4:] / original.amax(dim=1, keepdim=True)
    assert_allclose(k_reciprocal_distance(query, gallery, 5, 2, 1.0), expected, rtol=1e-5)


@given(st.integers(0, 10_000), LAMBDAS, st.sampled_from([0.25, 8.0]))
def test_bounded_unmoved_by_scale_and_by_gallery_order(seed, lambda_value, scale):
    rng = np.random.default_rng(seed)
    query, gallery, _ = people(rng, 3, 15)
    result = k_reciprocal_distance(query, gallery, 4, 2, lambda_value)
    assert result.min() >= -1e-6
    assert result.max() <= 1 + 1e-6
    scaled = k_reciprocal_distance(query * scale, gallery * scale, 4, 2, lambda_value)
    assert torch.equal(scaled, result)
    order = torch.from_numpy(rng.permutation(15))
    turned = k_reciprocal_distance(query, gallery[order], 4, 2, lambda_value)
    assert_allclose(turned, result[:, order], atol=1e-5)


def test_identical_images_are_all_at_distance_zero():
    assert not k_reciprocal_distance(torch.ones(2, 3), torch.ones(4, 3), 2, 1).isnan().any()
    assert_allclose(k_reciprocal_distance(torch.ones(2, 3), torch.ones(4, 3), 5, 6), 0, atol=1e-6)


def test_people_are_found_better_than_before():
    query, gallery, pids = people(np.random.default_rng(5), 40, 400, ids=20, width=16, spread=1.5)
    ids = (pids[:40], pids[40:], np.zeros(40, dtype=int), np.ones(400, dtype=int))
    before = rank_embeddings(query, gallery, *ids).mean_ap
    after = rank_distance(k_reciprocal_distance(query, gallery), *ids).mean_ap
    assert after > before + 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k1": 0}, r"k1 must be between 1 and 5 .* got 0"),
        ({"k1": 6}, r"k1 must be between 1 and 5 .* got 6"),
        ({"k1": -2}, r"k1 must be between 1 and 5 .* got -2"),
        ({"k2": 0}, r"k2 must be between 1 and 6 .* got 0"),
        ({"k2": 7}, r"k2 must be between 1 and 6 .* got 7"),
        ({"lambda_value": -0.1}, r"lambda_value must be in \[0, 1\], got -0.1"),
        ({"lambda_value": math.nan}, r"lambda_value must be in \[0, 1\], got nan"),
        ({"query": torch.tensor([[0.0], [math.nan]])}, r"query has NaN.* rows \[1\]"),
        ({"gallery": torch.full((4, 1), math.inf)}, r"gallery has NaN.* rows \[0, 1, 2, 3\]"),
        ({"query": torch.zeros(2, 3)}, r"query and gallery differ in width"),
        ({"gallery": torch.zeros(0, 1)}, r"gallery must be \(images, D\), not empty"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {"query": torch.zeros(2, 1), "gallery": torch.zeros(4, 1), "k1": 3, "k2": 2}
    with pytest.raises(ValueError, match=message):
        k_reciprocal_distance(**(good | change))
