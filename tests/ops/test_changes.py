"""The queries that two models serve otherwise, by plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from capnet.ops.changes import changed_queries, first_difference
from capnet.ops.ranking import rank_distance
from tests.ops.cases import random_case
from tests.reference import rank_reference


@given(st.integers(0, 10_000))
def test_every_change_is_told_from_the_greatest_loss_to_the_greatest_gain(seed):
    rng = np.random.default_rng(seed)
    queries, items, ids = random_case(rng)
    before, after = rng.integers(0, 5, (2, queries, items)).astype(np.float32)
    told = changed_queries(*(rank_distance(torch.from_numpy(d), *ids) for d in (before, after)))
    old, new = (rank_reference(d, *ids) for d in (before, after))
    expected = []
    for q in range(queries):
        gain = new["average_precision"][q] - old["average_precision"][q]
        shift = new["first_match_rank"][q] - old["first_match_rank"][q]
        if not np.isnan(gain) and (gain != 0 or shift != 0):
            expected.append((q, gain, shift))
    assert sorted(told.query.tolist()) == [q for q, _, _ in expected]
    changes = {q: (gain, shift) for q, gain, shift in expected}
    for q, gain, shift in zip(
        told.query, told.average_precision, told.first_match_rank, strict=True
    ):
        assert gain == pytest.approx(changes[q][0], abs=1e-12)
        assert shift == changes[q][1]
    keys = list(zip(told.average_precision, -told.first_match_rank, told.query, strict=True))
    assert keys == sorted(keys)


def test_rankings_of_other_queries_are_refused():
    two = rank_distance(torch.zeros(2, 1), [1, 2], [1], [0, 0], [1])
    for pids in ([1], [1, 1], [2, 1]):
        other = rank_distance(torch.zeros(len(pids), 1), pids, [1], [0] * len(pids), [1])
        with pytest.raises(ValueError, match=r"before and after rank other queries: 2 and \d, 1"):
            changed_queries(two, other)


def test_lists_differ_from_their_first_other_item_on():
    before = np.array([[3, 1, 2], [3, 1, 2], [3, 1, 2], [0, -1, -1]])
    after = np.array([[3, 1, 2], [3, 2, 1], [1, 3, 2], [0, -1, -1]])
    assert_array_equal(first_difference(before, after), [-1, 1, 0, -1])


@pytest.mark.parametrize("shape", [(2, 4), (3, 3), (6,)])
def test_lists_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"must both be lists \(Q, top\), got \(2, 3\) and"):
        first_difference(np.zeros((2, 3), dtype=np.int64), np.zeros(shape, dtype=np.int64))
