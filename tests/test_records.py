"""Manifests: labels, order, the way out and back, and damaged files."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.records import (
    ManifestError,
    Record,
    of_split,
    read_manifest,
    with_labels,
    write_manifest,
)

splits = st.sampled_from(["train", "query", "gallery"])
paths = st.text("abc/,\"'é ü\n", min_size=1, max_size=12)
records = st.lists(
    st.builds(
        Record,
        path=paths,
        pid=st.integers(-1, 50),
        camid=st.integers(-1, 20),
        split=splits,
        label=st.just(-1),
        digest=st.text("0123456789abcdef", min_size=8, max_size=8),
    ),
    max_size=20,
    unique_by=lambda record: (record.split, record.path),
)


@given(records)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read(tmp_path_factory, some):
    path = tmp_path_factory.mktemp("m") / "manifest.csv"
    labelled = with_labels(some)
    write_manifest(path, labelled)
    assert read_manifest(path) == labelled


@given(records, st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_of_the_files_does_not_matter(some, chance: random.Random):
    shuffled = list(some)
    chance.shuffle(shuffled)
    assert with_labels(shuffled) == with_labels(some)


@given(records)
@settings(max_examples=40, deadline=None)
def test_labels_count_the_train_people_from_zero_in_order_of_pid(some):
    train = of_split(with_labels(some), "train")
    pairs = {(record.pid, record.label) for record in train}
    assert [label for _, label in sorted(pairs)] == list(range(len({r.pid for r in train})))
    assert all(r.label == -1 for r in with_labels(some) if r.split != "train")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1"),
        ("path,pid\n", "line 1"),
        ("path,pid,camid,split,label,digest\na.jpg,x,1,train,0,00\n", "line 2.*'x'"),
        ("path,pid,camid,split,label,digest\na.jpg,1,1,trian,0,00\n", "line 2.*trian"),
        ("path,pid,camid,split,label,digest\na.jpg,1,1,train,0\n", "line 2"),
    ],
)
def test_a_damaged_manifest_is_named_with_its_line(tmp_path, text, said):
    path = tmp_path / "manifest.csv"
    path.write_text(text)
    with pytest.raises(ManifestError, match=f"(?s){path}.*{said}"):
        read_manifest(path)


def test_a_missing_manifest_says_what_makes_it(tmp_path):
    with pytest.raises(ManifestError, match="prepare"):
        read_manifest(tmp_path / "manifest.csv")
