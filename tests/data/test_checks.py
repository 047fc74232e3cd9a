"""Published counts, what each check finds, and what a user may let through."""

import logging
import tarfile
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from capnet.data.checks import check_people
from capnet.data.examine import Facts
from capnet.data.file_checks import UNUSABLE, check_files
from capnet.data.findings import ALLOWABLE
from capnet.data.layouts import DatasetError
from capnet.data.prepare import prepare
from capnet.data.published import PUBLISHED, count_splits, disagreements
from capnet.records import Record, read_manifest
from capnet.settings import Benchmark, Dataset
from tests.data.trees import FILES, copy, plant, put, remove

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
CUHK03 = SHARED / "cuhk03-np-detected.tar.gz"
MARKET_LABELS = SHARED / "market1501-labels.npz"
A, B, C, Q, Q2, JUNK, NOBODY, G, G2 = FILES["market"]


def record(split, pid, camid, name=""):
    return Record(f"{split}/{pid}_{camid}{name}.jpg", pid, camid, split, -1, "")


def found(*records):
    return [finding.check for finding in check_people(records)]


@pytest.fixture
def root(tmp_path):
    plant(tmp_path / "raw", "market")
    return tmp_path / "raw"


def run(root, **settings):
    dataset = Dataset(layout="market", root=str(root), **settings)
    return prepare("mine", dataset, root.parent / "prepared")


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


def test_names_of_unusable_files_do_not_count_as_copies():
    facts = {r.path: Facts(fault=next(iter(UNUSABLE)), reason="why") for r in GOOD}
    assert [finding.check for finding in check_files(GOOD, facts)] == ["unreadable"]


def test_many_copies_of_one_image_are_not_all_named():
    records = [record("gallery", 3, 2, f"_{number}") for number in range(40)]
    facts = {r.path: Facts("same", 64, 128, "RGB") for r in records}
    (finding,) = check_files(records, facts)
    assert finding.check == "repeated_images"
    assert "_2.jpg = 37 more" in finding.text
    assert "_3.jpg" not in finding.text


def test_every_benchmark_has_its_counts_and_agrees_with_itself():
    assert set(PUBLISHED) == set(get_args(Benchmark))
    for benchmark, published in PUBLISHED.items():
        assert list(disagreements(benchmark, published.splits)) == []


def test_the_methods_notes_say_the_same_numbers():
    tests = {name: (row.splits["query"], row.splits["gallery"]) for name, row in PUBLISHED.items()}
    totals = {name: sum(counts["images"] for counts in splits) for name, splits in tests.items()}
    assert totals["msmt17"] == 93_820
    assert totals["market1501"] == 3_368 + 15_913 + 3_819
    assert totals["dukemtmc"] + 16_522 == 36_411  # all boxes with ids
    assert totals["cuhk03_np_detected"] + 7_365 == 14_097
    assert totals["cuhk03_np_labeled"] + 7_368 == 14_096


@pytest.mark.skipif(not MARKET_LABELS.is_file(), reason=f"needs {MARKET_LABELS.name}")
def test_markets_true_labels_have_the_published_counts():
    labels = np.load(MARKET_LABELS)
    pids = {split: labels[f"{split}_pid"] for split in ("query", "gallery")}
    pids["train"] = 10_000 + labels["train_label"]
    records = [
        record(split, int(pid), int(camid), f"_{number}")
        for split in ("train", "query", "gallery")
        for number, (pid, camid) in enumerate(
            zip(pids[split], labels[f"{split}_camid"], strict=True)
        )
    ]
    assert list(disagreements("market1501", count_splits(records))) == []
    assert found(*records) == []


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


def test_an_unknown_benchmark_is_refused_and_the_known_ones_listed():
    with pytest.raises(ValidationError, match="cuhk03_np_labeled"):
        Dataset(layout="market", root="raw", benchmark="market")


@pytest.mark.slow
@pytest.mark.skipif(not CUHK03.is_file(), reason=f"needs {CUHK03.name}, which is not published")
def test_the_real_cuhk03_np_passes_every_check(tmp_path):
    with tarfile.open(CUHK03) as archive:
        archive.extractall(tmp_path, filter="data")
    settings = Dataset(
        layout="cuhk03_np", root=str(tmp_path / "cuhk03-np"), benchmark="cuhk03_np_detected"
    )
    card = prepare("cuhk03_np", settings, tmp_path / "prepared")
    assert card["allowed"] == []
    assert card["notes"] == {}
    records = read_manifest(tmp_path / "prepared/manifest.csv")
    assert len({record.digest for record in records}) == 14_097
