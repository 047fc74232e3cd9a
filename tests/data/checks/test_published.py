"""Published counts, and real data that has them."""

import tarfile
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from capnet.data.checks.people import check_people
from capnet.data.checks.published import PUBLISHED, count_splits, disagreements
from capnet.data.prepare import prepare
from capnet.records import read_manifest
from capnet.settings import Benchmark, Dataset
from tests.data.trees import record

SHARED = Path(__file__).resolve().parents[4] / "shared/data"
CUHK03 = SHARED / "cuhk03-np-detected.tar.gz"
MARKET_LABELS = SHARED / "market1501-labels.npz"


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
    assert check_people(records) == []


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
