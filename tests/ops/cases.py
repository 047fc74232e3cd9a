"""What the tests of ranking and its relatives share."""

import dataclasses
from contextlib import contextmanager

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal


def assert_agrees(ranked, expected):
    for name in ("cmc", "mean_ap", "mean_inp", "average_precision"):
        assert_allclose(getattr(ranked, name), expected[name], rtol=1e-12, err_msg=name)
    assert_array_equal(ranked.first_match_rank, expected["first_match_rank"])
    assert_array_equal(ranked.valid, expected["first_match_rank"] >= 0)
    assert ranked.num_valid_queries == expected["num_valid_queries"]
    assert ranked.num_tied_matches == expected["ties_touching_match"]


def assert_same(ranked, other):
    for field in dataclasses.fields(ranked):
        assert_array_equal(getattr(ranked, field.name), getattr(other, field.name), field.name)


def random_case(rng):
    """Small and mean: few ids and cameras, junk, fewer items than ranks, queries without match."""
    queries, items = rng.integers(1, 7), rng.integers(1, 25)
    people, cameras = rng.integers(1, 6), rng.integers(1, 4)
    ids = (
        rng.integers(0, people + 1, queries),
        rng.integers(-1, people + 1, items),
        rng.integers(0, cameras, queries),
        rng.integers(0, cameras, items),
    )
    return queries, items, ids


def squared_distance(query, gallery):
    query, gallery = (np.asarray(x, dtype=np.float64) for x in (query, gallery))
    return ((query[:, None] - gallery[None]) ** 2).sum(axis=2)


def whole_number_set(queries=23, items=90, width=3):
    rng = np.random.default_rng(7)
    query, gallery = (
        torch.from_numpy(rng.integers(-2, 3, (n, width))).float() for n in (queries, items)
    )
    ids = (
        rng.integers(0, 6, queries),
        rng.integers(-1, 6, items),
        rng.integers(0, 3, queries),
        rng.integers(0, 3, items),
    )
    return query, gallery, ids


def people(rng, queries, items, ids=8, width=6, spread=0.6):
    """Embeddings around one centre per person, and the persons."""
    centres = rng.standard_normal((ids, width))
    pids = rng.integers(0, ids, queries + items)
    images = centres[pids] + spread * rng.standard_normal((queries + items, width))
    query, gallery = images[:queries], images[queries:]
    return torch.from_numpy(query).float(), torch.from_numpy(gallery).float(), pids


@contextmanager
def on_threads(number):
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
