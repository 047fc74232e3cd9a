"""However the queries are shared out, the numbers are the same to the last bit."""

from itertools import chain

import numpy as np
import pytest
import torch

from capnet.ops import distance, tiles
from capnet.ops.protocol import Protocol
from capnet.ops.ranking import Places, place_share, rank_embeddings, rank_together
from capnet.ops.scores import score
from tests.ops import together
from tests.ops.cases import assert_agrees, assert_same, on_threads, squared_distance
from tests.reference import rank_reference


@pytest.mark.parametrize("block", [1, 4, 384])
@pytest.mark.parametrize("parts", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("queries", [1, 2, 13])
def test_merged_shares_are_the_whole(queries, parts, block, monkeypatch):
    monkeypatch.setattr(tiles, "QUERIES", block)
    query, gallery, ids = together.real_set(queries)
    whole = rank_embeddings(query, gallery, *ids, max_rank=5)
    shares = [place_share(query, gallery, *ids, share=(n, parts)) for n in range(parts)]
    assert_same(score(Places.merge(shares), 5), whole)


def test_merged_shares_agree_with_the_oracle(monkeypatch):
    monkeypatch.setattr(tiles, "QUERIES", 3)
    query, gallery, ids = together.real_set(17)
    query, gallery = query.round(), gallery.round()
    shares = [place_share(query, gallery, *ids, share=(n, 4)) for n in range(4)]
    expected = rank_reference(squared_distance(query, gallery), *ids)
    assert_agrees(score(Places.merge(shares), 50), expected)


@pytest.mark.parametrize("queries", [1, 5, 562, 563, 1124, 2500, 11_659])
def test_parts_are_even_and_shares_are_whole_parts(queries):
    zeros = np.zeros(queries, dtype=np.int64)
    protocol = Protocol.of(zeros, zeros[:1], zeros, zeros[:1])
    parts = tiles.cut(protocol)
    spans = [part.queries for part in parts]
    assert [span.start for span in spans] == [0, *(span.stop for span in spans[:-1])]
    assert spans[-1].stop == queries
    sizes = {span.stop - span.start for span in spans}
    assert max(sizes) <= 562
    assert max(sizes) - min(sizes) <= 1
    for world in (1, 2, 3, 7, 50):
        shares = [tiles.cut(protocol, (n, world)) for n in range(world)]
        assert list(chain(*shares)) == parts
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("in_torch", [True, False])
def test_the_number_of_threads_changes_nothing(in_torch, monkeypatch):
    # Persons so close that rounding alone orders them.
    monkeypatch.setattr(distance, "_torch_multiplies", lambda: in_torch)
    monkeypatch.setattr(tiles, "TILE", 2**17)
    rng = np.random.default_rng(0)
    query, gallery = (
        torch.from_numpy(1 + 1e-4 * rng.standard_normal((n, 512))).float() for n in (300, 2000)
    )
    ids = [rng.integers(1, most, n) for most in (90, 4) for n in (300, 2000)]
    ids[:2] = map(np.sort, ids[:2])
    found = {}
    for threads in (1, 2, 3):
        with on_threads(threads):
            found[threads] = rank_embeddings(query, gallery, *ids)
    assert_same(found[2], found[1])
    assert_same(found[3], found[1])


def test_alone_it_is_the_plain_ranking():
    query, gallery, ids = together.real_set(13)
    assert_same(rank_together(query, gallery, *ids), rank_embeddings(query, gallery, *ids))


@pytest.mark.distributed
def test_one_two_and_three_processes_find_the_same(tmp_path):
    found = together.rankings(tmp_path)
    for world in together.WORLDS:
        for rank in range(world):
            for queries in together.SIZES:
                ours, alone = found[world, rank][queries], found[1, 0][queries]
                assert ours.keys() == alone.keys()
                for name, value in ours.items():
                    np.testing.assert_array_equal(value, alone[name], name)
