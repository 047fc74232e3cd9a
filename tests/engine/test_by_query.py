"""Scores by query, kept in a file, and what changed between two runs."""

import numpy as np
import pytest

from capnet.engine.by_query import ByQuery, changes, read_by_query, write_by_query
from capnet.errors import UserError

BEFORE = ByQuery(
    ["a.jpg", "b, c.jpg", "NA", "d.jpg", "e.jpg"],
    np.array([1 / 3, 1, 0.5, np.nan, 0.25]),
    np.array([2, 0, 0, -1, 3]),
    ["x.jpg", "y.jpg", "", "x.jpg", "x.jpg"],
)
AFTER = ByQuery(
    BEFORE.query,
    np.array([1, 0.5, 0.75, np.nan, 0.25]),
    np.array([0, 1, 0, -1, 3]),
    ["", "z.jpg", "x.jpg", "y.jpg", "y.jpg"],
)


def test_a_file_gives_back_every_digit_and_name(tmp_path):
    path = tmp_path / "queries.csv"
    write_by_query(path, BEFORE)
    found = read_by_query(path)
    assert found.query == BEFORE.query
    assert found.first_wrong == BEFORE.first_wrong
    np.testing.assert_array_equal(found.average_precision, BEFORE.average_precision)
    np.testing.assert_array_equal(found.first_match_rank, BEFORE.first_match_rank)


def test_changes_run_from_the_greatest_loss_to_the_greatest_gain():
    table = changes(BEFORE, AFTER)
    assert table["query"].tolist() == ["b, c.jpg", "NA", "a.jpg"]
    assert table["change"].tolist() == ["lost", "better", "won"]
    assert table["rank_before"].tolist() == [1, 1, 3]
    assert table["rank_after"].tolist() == [2, 1, 1]
    assert table["ap_after"].tolist() == [0.5, 0.75, 1]
    assert table["wrong_before"].tolist() == ["y.jpg", "", "x.jpg"]
    assert table["wrong_after"].tolist() == ["z.jpg", "x.jpg", ""]


def test_turned_round_what_was_won_is_lost():
    table = changes(AFTER, BEFORE)
    assert table["change"].tolist() == ["lost", "worse", "won"]


def test_a_run_differs_from_itself_in_nothing():
    assert changes(BEFORE, BEFORE).empty


def test_other_queries_are_refused():
    other = ByQuery([*"abcde"], *list(vars(BEFORE).values())[1:])
    with pytest.raises(ValueError, match="the queries differ: 5 and 5 images"):
        changes(BEFORE, other)


@pytest.mark.parametrize("text", ["query,first_wrong\na,b\n", "query,average_precision\na,high\n"])
def test_a_broken_file_is_named(tmp_path, text):
    path = tmp_path / "queries.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=r"queries.csv: not readable .*; evaluate the run again"):
        read_by_query(path)
    path.unlink()
    with pytest.raises(UserError, match=r"queries.csv: not found; evaluate the run first"):
        read_by_query(path)
