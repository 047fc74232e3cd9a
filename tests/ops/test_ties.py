"""One image offered twice is a tie, whatever else is multiplied with it."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.nn.functional import normalize

from capnet.ops import distance, tiles
from capnet.ops.ranking import place_share, rank_lists

PEOPLE, EACH = 12, 4


def everything_twice(queries, distractors, width, dtype):
    """The matches side by side; copies of all but the last image as distractors, tiles away.

    An odd gallery: its last columns have a kernel of their own.
    """
    rng = np.random.default_rng(width)
    images = PEOPLE * EACH + distractors
    query, offered = (
        normalize(torch.from_numpy(rng.standard_normal((n, width)))).to(dtype)
        for n in (queries, images)
    )
    pids = np.zeros(2 * images - 1, dtype=np.int64)
    pids[: PEOPLE * EACH] = np.repeat(np.arange(1, PEOPLE + 1), EACH)
    wanted = np.sort(rng.integers(1, PEOPLE + 1, queries))
    return query, torch.cat([offered, offered[:-1]]), wanted, pids, [0] * queries, [1] * len(pids)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [3, 100, 512, 1024])
@pytest.mark.parametrize("distractors", [3, 901])
@pytest.mark.parametrize("queries", [1, 2, 7, 300])
@pytest.mark.parametrize("in_torch", [True, False])
def test_a_copy_is_as_far_as_the_image(queries, distractors, width, dtype, in_torch, monkeypatch):
    monkeypatch.setattr(distance, "_torch_multiplies", lambda: in_torch)
    monkeypatch.setattr(tiles, "TILE", 300 * 700)
    query, gallery, wanted, pids, *cameras = everything_twice(queries, distractors, width, dtype)
    items, distances = rank_lists(query, gallery, wanted, pids, *cameras, top=len(gallery))
    by_item = np.empty_like(distances)
    np.put_along_axis(by_item, items, distances, axis=1)
    copies = len(gallery) // 2
    assert_array_equal(by_item[:, -copies:], by_item[:, :copies])
    places = place_share(query, gallery, wanted, pids, *cameras)
    assert places.num_tied == queries * EACH
    assert_array_equal(places.place, np.nonzero(pids[items] == wanted[:, None])[1])
