"""CUHK03's old protocol against the oracle's loops, and against every draw there is."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from capnet.ops import blocks
from capnet.ops.ranking import rank_embeddings
from capnet.ops.single_shot import rank_single_shot
from tests.ops.cases import squared_distance
from tests.reference.ranking import single_shot_expected_rank1, single_shot_reference


def small_case(rng, spread=3):
    """Whole-number embeddings, so with exact ties, and ids without distractors."""
    queries, items = rng.integers(1, 7), rng.integers(1, 25)
    people, cameras = rng.integers(1, 6), rng.integers(1, 4)
    query, gallery = (rng.integers(-spread, spread + 1, (n, 2)) for n in (queries, items))
    pids = rng.integers(1, people + 1, items)
    pids[rng.random(items) < 0.1] = -1
    ids = (
        rng.integers(1, people + 1, queries),
        pids,
        rng.integers(0, cameras, queries),
        rng.integers(0, cameras, items),
    )
    return query, gallery, ids


def tensors(*arrays):
    return [torch.from_numpy(array).float() for array in arrays]


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_oracle(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    for _ in range(40):
        query, gallery, ids = small_case(rng)
        monkeypatch.setattr(blocks, "QUERY_BLOCK", int(rng.integers(1, 9)))
        ours = rank_single_shot(*tensors(query, gallery), *ids, trials=5, seed=seed, max_rank=7)
        distance = squared_distance(query, gallery)
        places, ties = single_shot_reference(distance, *map(np.ndarray.tolist, ids), 5, seed)
        assert_array_equal(ours.match_rank, places)
        assert ours.num_tied_matches == ties
        valid = places[places[:, 0] >= 0]
        assert ours.num_valid_queries == len(valid)
        expected = [(valid <= k).mean() if len(valid) else np.nan for k in range(7)]
        assert_allclose(ours.cmc, expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_many_trials_come_to_the_mean_over_every_draw(seed):
    rng = np.random.default_rng(seed)
    query, gallery = rng.standard_normal((4, 2)), rng.standard_normal((24, 2))
    ids = ([1, 2, 3, 3], [1, 1, 2, 2, 3, 3, 4, 4] * 3, [0, 1, 0, 1], [0, 1] * 12)
    ours = rank_single_shot(*tensors(query, gallery), *ids, trials=2000, seed=seed)
    expected = single_shot_expected_rank1(squared_distance(query, gallery), *ids)
    assert ours.num_valid_queries == 4
    # Five standard errors of 2000 draws, whatever the queries of a trial have in common.
    assert ours.cmc[0] == pytest.approx(expected, abs=5 * 0.5 / np.sqrt(2000))


def test_worked_by_hand():
    # The query is person 1 by camera 0. Out of its list: its own camera's images (items 0 and 4)
    # and junk (item 5). Person 1 has item 1, at 4; person 2 items 2, at 1, and 3, at 9.
    gallery = torch.tensor([[0.0], [2.0], [1.0], [3.0], [0.5], [0.0]])
    pids, camids = [1, 1, 2, 2, 2, -1], [0, 1, 1, 1, 0, 1]
    ours = rank_single_shot(torch.zeros(1, 1), gallery, [1], pids, [0], camids, trials=64)
    nearer = (ours.match_rank == 1).mean()  # the share of trials that drew item 2
    assert 0.25 < nearer < 0.75
    assert_allclose(ours.cmc, [1 - nearer, *[1] * 49])
    assert (ours.num_valid_queries, ours.num_tied_matches) == (1, 0)


def test_draws_are_the_same_on_every_machine():
    # Two images of one other person at places before and after the match: the trial's draw shows.
    # Raw stream of PCG64([0, t]) for t = 0 ... 7, first number against second.
    gallery = torch.tensor([[1.0], [3.0], [2.0]])
    ours = rank_single_shot(torch.zeros(1, 1), gallery, [1], [2, 2, 1], [0], [1] * 3, trials=8)
    streams = [np.random.PCG64([0, trial]) for trial in range(8)]
    expected = [int(stream.random_raw() < stream.random_raw()) for stream in streams]
    assert_array_equal(ours.match_rank[0], expected)
    assert np.random.PCG64([0, 0]).random_raw() == 0xA30FEBCFD9C2825F


@given(st.integers(0, 10_000))
def test_with_one_image_per_person_it_is_the_plain_ranking(seed):
    rng = np.random.default_rng(seed)
    query, gallery = tensors(rng.standard_normal((5, 3)), rng.standard_normal((9, 3)))
    ids = (rng.integers(1, 12, 5), rng.permutation(9) + 1, np.zeros(5, int), np.ones(9, int))
    ours = rank_single_shot(query, gallery, *ids, trials=3)
    plain = rank_embeddings(query, gallery, *ids)
    assert_array_equal(ours.match_rank, np.repeat(plain.first_match_rank[:, None], 3, axis=1))
    assert_array_equal(ours.cmc, plain.cmc)


@given(st.integers(0, 10_000), st.integers(0, 3))
def test_the_first_trials_do_not_depend_on_their_number(seed, stream):
    query, gallery, ids = small_case(np.random.default_rng(seed))
    few, many = (
        rank_single_shot(*tensors(query, gallery), *ids, trials=n, seed=stream) for n in (2, 6)
    )
    assert_array_equal(few.match_rank, many.match_rank[:, :2])


def test_no_match_at_all_is_counted_not_crashed_on():
    ours = rank_single_shot(torch.zeros(2, 1), torch.ones(2, 1), [1, 2], [1, 3], [0, 0], [0, 0])
    assert ours.num_valid_queries == 0
    assert np.isnan(ours.cmc).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"max_rank": -1}, "max_rank must be at least 1, got -1"),
        ({"gallery_pids": [0, 1, 0]}, r"gallery_pids has 2 distractors \(pid 0\)"),
        ({"query": torch.full((1, 2), torch.nan)}, r"query has NaN.* rows \[0\]"),
        ({"gallery_camids": None}, "gallery_camids is None"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {
        "query": torch.zeros(1, 2),
        "gallery": torch.zeros(3, 2),
        "query_pids": [1],
        "gallery_pids": [1, 2, 3],
        "query_camids": [0],
        "gallery_camids": [1, 1, 1],
    }
    with pytest.raises(ValueError, match=message):
        rank_single_shot(**(good | change))
