"""Re-ranked scores without the whole distance matrix, and the memory that re-ranking announces."""

import math
import tracemalloc

import numpy as np
import pytest
import torch

from capnet.ops import blocks, memory, rerank
from capnet.ops.rerank import (
    k_reciprocal_distance,
    rank_reranked,
    rerank_memory,
    reranked_blocks,
)
from tests.ops.cases import assert_agrees, people
from tests.reference import rank_reference, rerank_reference


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (k_reciprocal_distance, r"`rank_reranked` scores it in about 0.1 GiB"),
        (reranked_blocks, r"rank without it or with fewer gallery images"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_starts(call, remedy, monkeypatch):
    monkeypatch.setattr(rerank, "nearest_neighbours", lambda *_, **__: pytest.fail("it started"))
    monkeypatch.setattr(memory, "machine_memory", lambda: 2**26)
    message = rf"re-ranking needs about 0.1 GiB, this machine has 0.1; {remedy}"
    with pytest.raises(MemoryError, match=message):
        call(torch.zeros(2, 1), torch.zeros(4, 1), 3, 2)


def test_the_memory_is_told_before_it_starts(monkeypatch, caplog):
    monkeypatch.setattr(rerank, "nearest_neighbours", lambda *_, **__: 1 / 0)
    caplog.set_level("INFO")
    with pytest.raises(ZeroDivisionError):
        k_reciprocal_distance(torch.zeros(2, 1), torch.zeros(4, 1), 3, 2)
    assert "re-ranking needs about 0.1 GiB" in caplog.text


def test_the_machine_has_no_more_than_its_container_is_granted(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_GRANTED", ())
    whole = memory.machine_memory()
    for text, expected in ((str(2**20), 2**20), ("max", whole), (str(2**62), whole)):
        granted = tmp_path / "memory.max"
        granted.write_text(text + "\n")
        monkeypatch.setattr(memory, "_GRANTED", (granted, tmp_path / "absent"))
        assert memory.machine_memory() == expected


def test_memory_is_the_result_and_little_that_grows_with_the_images():
    msmt17 = (11_659, 82_161, 2048, 20)
    result, inputs = 4 * 11_659 * 82_161, 4 * (11_659 + 82_161) * 2048
    assert 0 < rerank_memory(*msmt17) - result < 2**30
    assert rerank_memory(*msmt17, whole=False) + inputs < 2 * 2**30
    assert rerank_memory(100, 10, 8, 20, whole=False) == rerank_memory(100, 10, 8, 20)


@pytest.mark.parametrize("block", [1, 3, 384])
@pytest.mark.parametrize("seed", range(3))
def test_blocks_are_the_rows_of_the_whole(seed, block, monkeypatch):
    # Small whole numbers: distances are exact in whatever pieces they are multiplied.
    monkeypatch.setattr(blocks, "QUERY_BLOCK", block)
    rng = np.random.default_rng(seed)
    query, gallery = (torch.from_numpy(rng.integers(-2, 3, (n, 3))).float() for n in (8, 43))
    whole = k_reciprocal_distance(query, gallery, 8, 4)
    rows = [(start, part.copy()) for start, part in reranked_blocks(query, gallery, 8, 4)]
    assert [start for start, _ in rows] == [0, *np.cumsum([len(part) for _, part in rows])[:-1]]
    assert np.array_equal(np.concatenate([part for _, part in rows]), whole)


@pytest.mark.parametrize("seed", range(3))
def test_rank_reranked_agrees_with_both_oracles(seed, monkeypatch):
    monkeypatch.setattr(blocks, "QUERY_BLOCK", 5)
    rng = np.random.default_rng(seed)
    for _ in range(6):
        query, gallery, pids = people(rng, 12, 50)
        ids = (pids[:12], pids[12:], rng.integers(0, 3, 12), rng.integers(0, 3, 50))
        ids[1][rng.random(50) < 0.1] = -1
        ours = rank_reranked(query, gallery, *ids, k1=9, k2=3, lambda_value=0.4, max_rank=12)
        distance = rerank_reference(query, gallery, 9, 3, 0.4)
        assert_agrees(ours, rank_reference(distance, *ids, max_rank=12))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_rank": 0}, "max_rank must be at least 1, got 0"),
        ({"k1": 99}, "k1 must be between 1 and 5 for this many images, got 99"),
        ({"query_pids": [1], "query_camids": [0]}, "query_pids has 1 entries for 2 images"),
        ({"gallery": torch.zeros(4, 3)}, "query and gallery differ in width"),
        ({"gallery": torch.full((4, 1), math.nan)}, "gallery has NaN"),
        ({"gallery_camids": None}, "gallery_camids is None"),
    ],
)
def test_rank_reranked_names_bad_input(change, message):
    good = {
        "query": torch.zeros(2, 1),
        "gallery": torch.zeros(4, 1),
        "query_pids": [1, 2],
        "gallery_pids": [1, 2, 0, -1],
        "query_camids": [0, 0],
        "gallery_camids": [1, 1, 1, 1],
        "k1": 3,
        "k2": 2,
    }
    with pytest.raises(ValueError, match=message):
        rank_reranked(**(good | change))


def test_the_whole_distance_matrix_never_exists():
    query, gallery = torch.rand(2, 1500, 4)
    pids = np.arange(1500)
    ids = (pids, pids, np.zeros_like(pids), np.ones_like(pids))
    tracemalloc.start()
    rank_reranked(query, gallery, *ids, k1=2, k2=1)
    _, in_blocks = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    k_reciprocal_distance(query, gallery, k1=2, k2=1)
    _, whole = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert in_blocks < whole - 1500 * 1500 * 4 / 2
