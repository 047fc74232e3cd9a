"""What a check of the people, cameras and splits finds."""

import pytest

from capnet.data.checks.people import check_people
from tests.data.trees import record


def found(*records):
    return [finding.check for finding in check_people(records)]


GOOD = (
    *(record("train", 1, 1), record("train", 2, 2)),
    *(record("query", 3, 1), record("gallery", 3, 2)),
)


def test_good_people_have_no_findings():
    assert found(*GOOD) == []


@pytest.mark.parametrize(
    ("more", "check"),
    [
        ([record("train", -1, 1)], "nobody"),
        ([record("query", 0, 1)], "nobody"),
        ([record("gallery", 1, 3)], "shared_people"),
        ([record("query", 4, 1)], "unmatched_queries"),
        ([record("query", 4, 1), record("gallery", 4, 1)], "unmatched_queries"),
        ([record("train", 1, 1)], "listed_twice"),
    ],
)
def test_what_is_added_to_good_people_is_found(more, check):
    assert check in found(*GOOD, *more)


@pytest.mark.parametrize("gallery", [[], [record("gallery", 3, 1)], [record("gallery", 0, 2)]])
def test_without_any_match_nothing_can_be_scored(gallery):
    assert "nothing_to_score" in found(*GOOD[:3], *gallery)


@pytest.mark.parametrize(("query", "gallery"), [(-1, 1), (1, -1), (-1, -1)])
def test_an_unknown_camera_is_another_camera(query, gallery):
    assert found(*GOOD[:2], record("query", 3, query), record("gallery", 3, gallery)) == []


def test_a_split_without_images_is_named():
    assert found(*GOOD[:2]) == ["empty_split", "empty_split"]
