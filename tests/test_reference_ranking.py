"""Hand-worked checks of the ranking, re-ranking and localisation oracles in `tests/reference`."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests import reference

GALLERY_PIDS = [1, -1, 2, 1, 1, 2]
GALLERY_CAMIDS = [0, 1, 1, 1, 2, 0]


def ranked_by_hand():
    distance = [[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.5, 0.1, 0.5, 0.2, 0.9, 0.0], [0.1] * 6]
    return reference.rank_reference(
        distance, [1, 2, 3], GALLERY_PIDS, [0, 0, 0], GALLERY_CAMIDS, max_rank=8
    )


def test_rank_reference_by_hand():
    ranked = ranked_by_hand()
    # Query 0 (id 1, camera 0): item 0 is its own camera, item 1 junk. List 2, 3, 4, 5: - + + -.
    #   AP = (1/2 + 2/3) / 2 = 7/12, INP = 2/3, first match at place 1 (0-based).
    # Query 1 (id 2, camera 0): item 5 is its own camera, item 1 junk. Items 0 and 2 tie at 0.5 and
    #   keep their order. List 3, 0, 2, 4: - - + -. AP = INP = 1/3, place 2, one match tied.
    # Query 2 (id 3): no match.
    assert_array_equal(ranked["cmc"], [0, 0.5, 1, 1, 1, 1, 1, 1])
    assert_allclose(ranked["average_precision"], [7 / 12, 1 / 3, math.nan], rtol=1e-15)
    assert_array_equal(ranked["first_match_rank"], [1, 2, -1])
    assert ranked["mean_ap"] == pytest.approx(11 / 24, rel=1e-15)
    assert ranked["mean_inp"] == pytest.approx(1 / 2, rel=1e-15)
    assert ranked["num_valid_queries"] == 2
    assert ranked["ties_touching_match"] == 1


def test_rank_reference_orders_ties_by_the_gallery_and_counts_each_match():
    # All at one distance: list 0, 1, 2 = + - +. AP = (1 + 2/3) / 2, INP = 2/3, both matches tied.
    ranked = reference.rank_reference([[0.0] * 3], [1], [1, 2, 1], [0], [1, 1, 1], max_rank=2)
    assert_array_equal(ranked["cmc"], [1, 1])
    assert ranked["mean_ap"] == pytest.approx(5 / 6, rel=1e-15)
    assert ranked["mean_inp"] == pytest.approx(2 / 3, rel=1e-15)
    assert ranked["ties_touching_match"] == 2


def test_rank_reference_ignores_ties_with_left_out_items():
    # Item 0 (own camera) and item 1 (junk) tie with the match, but are not in the list.
    ranked = reference.rank_reference([[0.0] * 3], [1], [1, -1, 1], [0], [0, 5, 1])
    assert ranked["ties_touching_match"] == 0
    assert ranked["mean_ap"] == 1.0
    assert_array_equal(ranked["cmc"], np.ones(50))


def test_rank_reference_without_a_valid_query_is_undefined():
    ranked = reference.rank_reference([[0.0]], [1], [1], [0], [0], max_rank=2)
    assert ranked["num_valid_queries"] == 0
    assert np.isnan([*ranked["cmc"], ranked["mean_ap"], ranked["mean_inp"]]).all()


# Two pairs on a line: the query at 0 with an item at 1, and items at 10 and 11. Squared distances
#   0   1 100 121     each row over its maximum:   (0, 1, 100, 121) / 121
#   1   0  81 100                                  (1, 0,  81, 100) / 100
# 100  81   0   1                                  (100, 81, 0,   1) / 100
# 121 100   1   0                                  (121, 100, 1,  0) / 121
PAIRED_QUERY, PAIRED_GALLERY = [[0.0]], [[1.0], [10.0], [11.0]]


def test_rerank_of_obvious_pairs_without_query_expansion():
    # k1 = 1: each image's neighbours are itself and its partner; round(1/2) = 0 adds nothing.
    # With e = exp(-1/121), f = exp(-1/100): V(0) = (1, e) / (1 + e), V(1) = (f, 1) / (1 + f), and
    # the sum of the minima is f / (1 + f) + e / (1 + e) = 0.9954339168904389,
    # so Jaccard = 1 - s / (2 - s) = 0.009090657521359069; nothing is shared with the other pair.
    jaccard = reference.rerank_reference(PAIRED_QUERY, PAIRED_GALLERY, 1, 1, lambda_value=0.0)
    assert_allclose(jaccard, [[0.009090657521359069, 1, 1]], rtol=1e-12)
    original = reference.rerank_reference(PAIRED_QUERY, PAIRED_GALLERY, 1, 1, lambda_value=1.0)
    assert_allclose(original, [[1 / 121, 100 / 121, 1]], rtol=1e-15)
    mixed = reference.rerank_reference(PAIRED_QUERY, PAIRED_GALLERY, 1, 1)
    expected = [[0.7 * 0.009090657521359069 + 0.3 / 121, 0.7 + 30 / 121, 1]]
    assert_allclose(mixed, expected, rtol=1e-12)


def test_rerank_of_obvious_pairs_with_query_expansion():
    # k2 = 2 averages each image with its partner: both have one encoding, Jaccard 0.
    reranked = reference.rerank_reference(PAIRED_QUERY, PAIRED_GALLERY, 1, 2)
    assert_allclose(reranked, [[0.3 / 121, 0.7 + 30 / 121, 1]], rtol=1e-14)


def test_rerank_survives_more_duplicates_than_neighbours():
    # All at distance 0: the order is 0, 1, 2, 3 for everyone, so with k1 = 1 images 2 and 3 are
    # not even their own neighbours: they encode to nothing and share nothing (Jaccard 1).
    reranked = reference.rerank_reference(np.zeros((1, 2)), np.zeros((3, 2)), 1, 1)
    assert_allclose(reranked, [[0, 0.7, 0.7]], atol=1e-15)


def test_expanded_neighbours_adds_a_candidate_that_lies_two_thirds_inside():
    # On a line: q 0, a 3, b 3.2, x 3.6, y 5, then 8, 8.5, 9. k1 = 6, so lists of 7 of the 8 images.
    # q's list leaves out 9; among its members a, b and x have q in their lists, but y, 8 and 8.5 do
    # not (q is their farthest): R(q, 6) = {q, a, b, x}.
    # Half: lists of 4. x, a and b each list {x, a, b, y} and y lists them: R(x, 3) = {a, b, x, y},
    # of which 3 of 4 lie in R(q, 6), more than two thirds: y joins. R(q, 3) = {q} adds nothing.
    line = np.array([0, 3, 3.2, 3.6, 5, 8, 8.5, 9])
    order = np.argsort(abs(line[:, None] - line), axis=1, kind="stable")
    assert reference.expanded_neighbours(order, 0, 6) == {0, 1, 2, 3, 4}


def test_expanded_neighbours_refuses_exactly_two_thirds():
    # On a line: q 0, a 4, b 5.5, y 7, z 9.2; k1 = 3 (lists of 4), half = round(1.5) = 2 (of 3).
    # Lists of 4: q {q a b y}, a {a b y q}, b {b a y z}, y {y b z a}: R(q, 3) = {q, a}.
    # R(a, 2): a lists {a, b, y}; b lists {b, a, y}; y lists {y, b, z}: {a, b}, half inside: no.
    # With z at 11.2 instead: b lists {b, a, y, q}: R(q, 3) = {q, a, b}; y lists {y, b, a}, so
    # R(a, 2) = {a, b, y}: exactly two thirds inside: still no.
    for last, expected in ((9.2, {0, 1}), (11.2, {0, 1, 2})):
        line = np.array([0, 4, 5.5, 7, last])
        order = np.argsort(abs(line[:, None] - line), axis=1, kind="stable")
        assert reference.expanded_neighbours(order, 0, 3) == expected


def test_pixel_average_precision_by_hand():
    # Thresholds 0.9: P 1, R 1/2. 0.8 (two pixels at once): P 2/3, R 1. 0.1: no recall gained.
    scores, masks = [[[0.9, 0.8]], [[0.8, 0.1]]], [[[1, 1]], [[0, 0]]]
    score = reference.pixel_average_precision(scores, masks)
    assert score == pytest.approx(1 / 2 + 1 / 2 * 2 / 3, rel=1e-15)
    # One threshold for everything: the share of positive pixels, which is chance.
    assert reference.pixel_average_precision([[3.0] * 4], [[1, 0, 0, 0]]) == 0.25
    assert math.isnan(reference.pixel_average_precision([[1.0]], [[0]]))


def test_energy_pointing_by_hand():
    # (2 + 4) / (1 + 2 + 3 + 4).
    assert reference.energy_pointing([[1, 2], [3, 4]], [[0, 1], [0, 1]]) == 0.6
    assert math.isnan(reference.energy_pointing([[0.0, 0.0]], [[1, 0]]))


def test_pointing_game_by_hand():
    score, mask = np.zeros((4, 5)), np.zeros((4, 5))
    score[0, 0] = score[3, 4] = 1.0  # the first in row-major order counts
    mask[3, 4] = 1
    # The triangle 3, 4, 5: (0, 0) is 5 px from the mask.
    assert not reference.pointing_game(score, mask)
    assert not reference.pointing_game(score, mask, tolerance_px=4.9)
    assert reference.pointing_game(score, mask, tolerance_px=5)
    mask[0, 0] = 1
    assert reference.pointing_game(score, mask)
