"""The rank lists against a stable sort."""

import numpy as np
import torch
from numpy.testing import assert_array_equal

from capnet.ops.ranking import rank_lists
from tests.ops.cases import squared_distance, whole_number_set


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
