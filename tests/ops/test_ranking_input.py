"""What ranking refuses, and how it says so."""

import math

import numpy as np
import pytest
import torch

from capnet.ops import ranking
from capnet.ops.ranking import place_share, rank_distance, rank_embeddings, rank_lists

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
        ({"query": torch.zeros(2, 3).half()}, r"query and gallery differ in dtype"),
        ({"gallery": torch.full((4, 3), 1e5).half()}, r"query and gallery differ in dtype"),
        ({"query_pids": [1]}, r"query_camids has 2 entries"),
        ({"query_pids": [1] * 3, "query_camids": [0] * 3}, r"query_pids has 3 .* 2 images"),
        ({"gallery_camids": [1] * 5}, r"gallery_camids has 5 entries"),
        ({"gallery_pids": [1], "gallery_camids": [0]}, r"gallery_pids has 1 .* 4 images"),
        ({"gallery_pids": [[1, 2, 0, -1]]}, r"gallery_pids must be a list of integers"),
        ({"query_pids": [1.0, 2.0]}, r"query_pids must be a list of integers, got float64"),
        ({"query_pids": [1, -1]}, r"query_pids\[1\] is -1; the lowest value allowed is 0"),
        ({"gallery_pids": [1, -2, 0, 0]}, r"gallery_pids\[1\] is -2; .* -1"),
        ({"query_camids": [-1, 0]}, r"query_camids\[0\] is -1"),
        (
            {"gallery_pids": np.uint64([1, 2, 2**64 - 1, 0])},
            r"gallery_pids\[2\] is 18\d+; the highest",
        ),
        ({"gallery_camids": [0, 0, 0, -1]}, r"gallery_camids\[3\] is -1"),
        ({"query_camids": None}, r"query_camids is None; .* give 0 for each query and 1 for each"),
        ({"gallery_camids": None}, r"gallery_camids is None; where cameras are unknown"),
        ({"query_camids": []}, r"query_camids is empty"),
        ({"gallery_camids": [1]}, r"gallery_camids has 1 entries, the pids beside it 4"),
        ({"query_pids": [], "query_camids": []}, r"query_pids is empty"),
        ({"gallery_pids": torch.tensor([])}, r"gallery_pids is empty"),
        ({"gallery_pids": [True] * 4}, r"gallery_pids must be a list of integers, got bool"),
        ({"max_rank": 0}, r"max_rank must be at least 1, got 0"),
        ({"max_rank": -5}, r"max_rank must be at least 1, got -5"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        rank_embeddings(**(GOOD | change))


@pytest.mark.parametrize(
    ("distance", "message"),
    [
        (torch.zeros(2, 5), r"gallery_pids has 4 entries for 5 images"),
        (torch.zeros(0, 4), r"query_pids has 2 entries for 0 images"),
        (torch.zeros(2, 0), r"gallery_pids has 4 entries for 0 images"),
        (torch.zeros(8), r"distance must be floating point \(Q, G\)"),
        (torch.zeros(2, 4, dtype=torch.int64), r"distance must be floating point \(Q, G\)"),
        (torch.tensor([[0.0] * 4, [0, math.inf, 0, 0]]), r"distance has .* rows \[1\]"),
        (torch.full((2, 4), math.nan), r"distance has NaN or infinity in rows \[0, 1\]"),
    ],
)
def test_bad_distance_is_named(distance, message, monkeypatch):
    monkeypatch.setattr(ranking, "_COPIED", 8)
    ids = [GOOD[f"{split}_{ids}"] for ids in ("pids", "camids") for split in ("query", "gallery")]
    with pytest.raises(ValueError, match=message):
        rank_distance(distance, *ids)


@pytest.mark.parametrize("value", [np.zeros((2, 3), np.float32), [[0.0] * 3] * 2, None])
def test_other_than_a_tensor_is_named(value):
    with pytest.raises(TypeError, match=r"query must be a torch tensor, got \w+; torch.as_tensor"):
        rank_embeddings(**(GOOD | {"query": value}))
    with pytest.raises(TypeError, match="distance must be a torch tensor, got"):
        rank_distance(value, [1, 2], [1, 2, 0], [0, 0], [1, 1, 1])


@pytest.mark.filterwarnings("error")
def test_what_overflows_is_refused_without_a_warning():
    with pytest.raises(ValueError, match=r"query has .* huge values in rows \[0, 1\]"):
        rank_embeddings(**(GOOD | {"query": torch.full((2, 3), 1e30)}))


def test_a_list_needs_a_length():
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        rank_lists(**GOOD, top=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_infinite_half_precision_is_named(dtype):
    gallery = torch.zeros(4, 3, dtype=dtype)
    gallery[2, 1] = math.inf
    with pytest.raises(ValueError, match=r"gallery .* rows \[2\]"):
        rank_embeddings(**(GOOD | {"query": torch.zeros(2, 3, dtype=dtype), "gallery": gallery}))


@pytest.mark.parametrize("share", [(2, 2), (-1, 2), (0, 0)])
def test_a_share_is_one_of_the_parts(share):
    with pytest.raises(ValueError, match=r"share must be \(i, n\) with 0 <= i < n, got"):
        place_share(**GOOD, share=share)
