"""However the gallery is cut, every match has its place."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from capnet.ops import blocks, near, tiles
from capnet.ops.distance import LEAST_QUERIES
from capnet.ops.protocol import Protocol
from capnet.ops.ranking import rank_embeddings, rank_lists
from tests.ops.cases import assert_agrees, assert_same, random_case, squared_distance
from tests.reference import rank_reference


def cut(monkeypatch, queries, tile, held, look, some):
    monkeypatch.setattr(tiles, "QUERIES", queries)
    monkeypatch.setattr(tiles, "TILE", tile)
    monkeypatch.setattr(tiles, "HELD", held)
    monkeypatch.setattr(near, "_LOOK", look)
    monkeypatch.setattr(near, "_SORT", some)


@pytest.mark.parametrize("by_person", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_a_gallery_in_tiles_agrees_with_the_oracle(seed, by_person, monkeypatch):
    # Small whole numbers: distances are exact in whatever tiles they are multiplied, ties abound.
    rng = np.random.default_rng(seed)
    for _ in range(60):
        _, _, ids = random_case(rng)
        cut(monkeypatch, *rng.integers(1, [6, 30, 60, 40, 5]).tolist())
        before, behind = rng.integers(0, 20, 2)  # distractors; no query is one
        pids, camids = (np.pad(ids[n], (before, behind)) for n in (1, 3))
        wanted = ids[0] + 1
        if by_person:  # as data sets list their images
            wanted, pids = np.sort(wanted), np.sort(pids)
        query = rng.integers(-2, 3, (len(wanted), 2))
        gallery = rng.integers(-2, 3, (len(pids), 2))
        labels = (wanted, pids, ids[2], camids)
        ranked = rank_embeddings(*(torch.from_numpy(x).float() for x in (query, gallery)), *labels)
        assert_agrees(ranked, rank_reference(squared_distance(query, gallery), *labels))


@pytest.mark.parametrize("seed", range(40))
def test_the_tiles_are_each_querys_gallery_once(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    queries, tile, held = rng.integers(1, [400, 30_000, 20_000]).tolist()
    cut(monkeypatch, queries, tile, held, 1, 1)
    asked, pids = rng.integers(1, 30, 1000), rng.integers(-1, 33, 300)
    if seed % 2:
        asked, pids = np.sort(asked), np.sort(pids)
    protocol = Protocol.of(asked, pids, np.zeros(1000, np.int64), np.ones(300, np.int64))
    real = np.flatnonzero(pids >= 0)
    for part in tiles.cut(protocol):
        own = np.flatnonzero(np.isin(pids, asked[part.queries]))
        covered = sorted([part.held, *part.rest], key=lambda one: one.start)
        if not len(own):
            assert part.entries == 0
            continue
        assert part.held.start <= own[0]
        assert own[-1] < part.held.stop
        assert covered[0].start == real[0]
        assert covered[-1].stop == real[-1] + 1
        assert all(one.stop == after.start for one, after in pairwise(covered))
        rows = part.queries.stop - part.queries.start
        assert rows < 2 * LEAST_QUERIES or part.entries <= max(tile, held, rows)


@pytest.mark.parametrize("within", [0, 200])
def test_memory_does_not_grow_with_the_distractors(within, monkeypatch):
    cut(monkeypatch, 4, 100, 100, 50, 7)
    rng = np.random.default_rng(1)
    query, gallery = (torch.from_numpy(rng.integers(-3, 4, (n, 2))).float() for n in (9, 400))
    pids = np.zeros(400, dtype=np.int64)
    pids[within : within + 20] = np.sort(np.arange(20) % 5 + 1)
    ids = (np.arange(9) % 6 + 1, pids, np.zeros(9, np.int64), rng.integers(0, 3, 400))
    sizes = []
    between = blocks.Distances.between

    def spied(self, queries, items):
        distances = between(self, queries, items)
        sizes.append(distances.size)
        return distances

    monkeypatch.setattr(blocks.Distances, "between", spied)
    ranked = rank_embeddings(query, gallery, *ids)
    assert max(sizes) <= 100
    monkeypatch.undo()
    assert_same(ranked, rank_embeddings(query, gallery, *ids))


@pytest.mark.parametrize("far", [0.01, 0.2, 0.3, 1.0])
@pytest.mark.parametrize("keep", [False, True])
def test_what_is_within_reach_is_in_order(far, keep, monkeypatch):
    monkeypatch.setattr(near, "_SORT", 7)
    rng = np.random.default_rng(0)
    block = rng.standard_normal((50, 3000))
    limit = np.quantile(block, far * rng.random(50), axis=1).diagonal()
    limit = np.where(np.arange(50) % 9 == 8, -np.inf, limit)  # rows without a match
    given = block.copy()
    seen = []
    for rows, ordered in near.within(given, limit, keep=keep):
        seen.extend(rows)
        for row, items in zip(rows, ordered, strict=True):
            wanted = np.sort(block[row][block[row] <= limit[row]])
            np.testing.assert_array_equal(items[: len(wanted)], wanted)
            assert (items[len(wanted) :] > limit[row]).all()
    assert sorted(seen) == list(range(50))
    if keep:
        np.testing.assert_array_equal(given, block)


def test_rank_lists_of_a_large_gallery_are_the_same_in_narrower_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    query, gallery = (torch.from_numpy(rng.integers(-3, 4, (n, 3))).float() for n in (7, 60))
    ids = (rng.integers(1, 5, 7), rng.integers(-1, 5, 60), np.zeros(7, np.int64), np.ones(60, int))
    expected = rank_lists(query, gallery, *ids)
    monkeypatch.setattr(blocks, "ENTRIES", 130)
    for found, wanted in zip(rank_lists(query, gallery, *ids), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
