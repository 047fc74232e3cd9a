"""Findings together: all of them are listed, and what a user may let through."""

import logging

import pytest
from pydantic import ValidationError

from capnet.data.checks.findings import ALLOWABLE
from capnet.data.layouts import DatasetError
from capnet.data.prepare import prepare
from capnet.settings import Dataset
from tests.data.trees import FILES, copy, plant, put, remove

A, B, C, Q, Q2, JUNK, NOBODY, G, G2 = FILES["market"]


@pytest.fixture
def root(tmp_path):
    plant(tmp_path / "raw", "market")
    return tmp_path / "raw"


def run(root, **settings):
    dataset = Dataset(layout="market", root=str(root), **settings)
    return prepare("mine", dataset, root.parent / "prepared")


def test_all_disagreements_of_all_checks_are_listed(root):
    put(A, b"")(root)
    copy(B, C)(root)
    remove(G)(root)
    with pytest.raises(DatasetError) as error:
        run(root, benchmark="market1501")
    lines = str(error.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:-1]] == [
        *("unreadable", "repeated_images", "unmatched_queries", "counts", "counts", "counts"),
    ]
    for words in ("train: 3 images, not 12936, 2 ids, not 751, 2 cameras, not 6", "3819", "2798"):
        assert words in str(error.value)


def test_what_is_allowed_goes_into_the_card(root, caplog):
    copy(B, A)(root)
    remove(G)(root)
    reasons = {"repeated_images": "a known copy", "unmatched_queries": "as published"}
    card = run(root, allow=reasons)
    assert {entry["check"]: entry["reason"] for entry in card["allowed"]} == reasons
    assert A in card["allowed"][0]["finding"]
    assert not caplog.records
    page = (root.parent / "prepared/card.html").read_text()
    assert "a known copy" in page
    assert "as published" in page


def test_a_finding_beside_an_allowed_one_stops(root):
    copy(B, A)(root)
    remove(G)(root)
    with pytest.raises(DatasetError, match=r"allow: \{unmatched_queries: \.\.\.\}$") as error:
        run(root, allow={"repeated_images": "a known copy"})
    assert "repeated_images" not in str(error.value)


def test_an_allowance_that_is_not_needed_is_said(root, caplog):
    with caplog.at_level(logging.WARNING):
        assert run(root, allow={"tiny": "thumbnails"})["allowed"] == []
    assert caplog.messages == ["datasets.mine.allow.tiny: not needed, the check finds nothing"]


@pytest.mark.parametrize("check", ["typo", "unreadable", "nothing_to_train"])
def test_only_known_checks_can_be_allowed(check):
    with pytest.raises(ValidationError) as error:
        Dataset(layout="market", root="raw", allow={check: "because"})
    assert all(repr(name) in str(error.value) for name in ALLOWABLE)
