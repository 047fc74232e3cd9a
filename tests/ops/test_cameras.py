"""The scores by camera pair against the oracle on each pair's part of the gallery."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from capnet.ops.cameras import rank_by_cameras
from tests.ops.cases import random_case, squared_distance
from tests.reference.ranking import camera_pair_reference


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_oracle(seed):
    rng = np.random.default_rng(seed)
    for _ in range(30):
        queries, items, ids = random_case(rng)
        query, gallery = (rng.integers(-4, 5, (n, 3)) for n in (queries, items))
        tensors = (torch.from_numpy(x).float() for x in (query, gallery))
        pairs = rank_by_cameras(*tensors, *ids)
        assert_array_equal(pairs.cameras, sorted({*ids[2].tolist(), *ids[3].tolist()}))
        for a, asking in enumerate(pairs.cameras):
            for b, offered in enumerate(pairs.cameras):
                expected = camera_pair_reference(
                    squared_distance(query, gallery), *ids, asking, offered
                ) or {"num_valid_queries": 0, "cmc": [np.nan], "mean_ap": np.nan}
                assert pairs.num_queries[a, b] == expected["num_valid_queries"]
                assert_allclose(pairs.rank1[a, b], expected["cmc"][0], rtol=1e-12)
                assert_allclose(pairs.mean_ap[a, b], expected["mean_ap"], rtol=1e-12)


def test_worked_by_hand():
    # Camera 0 asks for persons 1 and 2; camera 1 saw both, 1 far away; camera 4 only person 3.
    query, gallery = torch.tensor([[0.0], [5.0]]), torch.tensor([[5.0], [4.9], [0.0]])
    pairs = rank_by_cameras(query, gallery, [1, 2], [1, 2, 3], [0, 0], [1, 1, 4])
    assert_array_equal(pairs.cameras, [0, 1, 4])
    assert_array_equal(pairs.num_queries, [[0, 2, 0], [0, 0, 0], [0, 0, 0]])
    # In camera 1's gallery: query 0's match comes second, and so does query 1's.
    nan = np.nan
    assert_allclose(pairs.rank1, [[nan, 0, nan], [nan] * 3, [nan] * 3])
    assert_allclose(pairs.mean_ap, [[nan, 0.5, nan], [nan] * 3, [nan] * 3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gallery": torch.tensor([[0.0], [0.0], [torch.nan]])}, r"gallery has NaN.* rows \[2\]"),
        ({"query": torch.zeros(2, 2)}, "query and gallery differ in width"),
        ({"gallery_camids": [1]}, "gallery_camids has 1 entries"),
        ({"query_pids": [1], "query_camids": [0]}, "query_pids has 1 entries for 2 images"),
    ],
)
def test_bad_input_is_named(change, message):
    good = {
        "query": torch.zeros(2, 1),
        "gallery": torch.zeros(3, 1),
        "query_pids": [1, 2],
        "gallery_pids": [1, 2, 3],
        "query_camids": [0, 0],
        "gallery_camids": [1, 1, 2],
    }
    with pytest.raises(ValueError, match=message):
        rank_by_cameras(**(good | change))
