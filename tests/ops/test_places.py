"""However the gallery is cut, every match has its place."""

import numpy as np
import pytest
import torch

from capnet.ops import blocks, distance, places
from capnet.ops.protocol import Protocol
from capnet.ops.ranking import rank_embeddings, rank_lists
from tests.ops.cases import assert_agrees, assert_same, random_case, squared_distance
from tests.reference import rank_reference


def cut(monkeypatch, rows, entries, at_once, items):
    monkeypatch.setattr(blocks, "QUERY_BLOCK", rows)
    monkeypatch.setattr(blocks, "ENTRIES", entries)
    monkeypatch.setattr(places, "_AT_ONCE", at_once)
    monkeypatch.setattr(distance, "_ITEMS", items)


@pytest.mark.parametrize("seed", range(8))
def test_a_gallery_in_pieces_agrees_with_the_oracle(seed, monkeypatch):
    # Small whole numbers: distances are exact in whatever pieces they are multiplied, ties abound.
    rng = np.random.default_rng(seed)
    for _ in range(60):
        queries, items, ids = random_case(rng)
        cut(monkeypatch, *rng.integers(1, [5, 30, 40, 9]).tolist())
        before, behind = rng.integers(0, 20, 2)  # distractors; no query is one
        pids, camids = (np.pad(ids[n], (before, behind)) for n in (1, 3))
        query = rng.integers(-2, 3, (queries, 2))
        gallery = rng.integers(-2, 3, (before + items + behind, 2))
        labels = (ids[0] + 1, pids, ids[2], camids)
        ranked = rank_embeddings(*(torch.from_numpy(x).float() for x in (query, gallery)), *labels)
        assert_agrees(ranked, rank_reference(squared_distance(query, gallery), *labels))


def test_the_pieces_are_the_gallery_once():
    pids = np.concatenate([np.zeros(70_000), np.full(9, 5), [7], np.full(9, 5), np.zeros(99_000)])
    zeros = np.zeros(len(pids), dtype=np.int64)
    held, rest = blocks.item_blocks(Protocol.of([5, 8], pids.astype(np.int64), [1, 1], zeros))
    assert held == slice(70_000, 70_019)
    covered = sorted([held, *rest], key=lambda piece: piece.start)
    assert [piece.start for piece in covered] == [0, *(piece.stop for piece in covered[:-1])]
    assert covered[-1].stop == len(pids)
    assert all(384 * (piece.stop - piece.start) <= blocks.ENTRIES for piece in covered)


def test_distractors_beyond_any_block_are_never_held(monkeypatch):
    cut(monkeypatch, 4, 100, 50, 7)
    rng = np.random.default_rng(1)
    query, gallery = (torch.from_numpy(rng.integers(-3, 4, (n, 2))).float() for n in (9, 400))
    pids = np.zeros(400, dtype=np.int64)
    pids[200:220] = np.arange(20) % 5 + 1
    ids = (np.arange(9) % 6 + 1, pids, np.zeros(9, np.int64), rng.integers(0, 3, 400))
    sizes = []
    between = blocks.Distances.between

    def spied(self, queries, items):
        sizes.append((queries.stop - queries.start) * (items.stop - items.start))
        return between(self, queries, items)

    monkeypatch.setattr(blocks.Distances, "between", spied)
    ranked = rank_embeddings(query, gallery, *ids)
    assert max(sizes) <= 100
    monkeypatch.undo()
    assert_same(ranked, rank_embeddings(query, gallery, *ids))


def test_rank_lists_of_a_large_gallery_are_the_same_in_narrower_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    query, gallery = (torch.from_numpy(rng.integers(-3, 4, (n, 3))).float() for n in (7, 60))
    ids = (rng.integers(1, 5, 7), rng.integers(-1, 5, 60), np.zeros(7, np.int64), np.ones(60, int))
    expected = rank_lists(query, gallery, *ids)
    cut(monkeypatch, 384, 130, 50, 7)
    for found, wanted in zip(rank_lists(query, gallery, *ids), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
