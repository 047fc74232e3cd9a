"""What must, and what must not, change a query's scores."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from capnet.ops.ranking import rank_distance
from tests.ops.cases import assert_same


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
