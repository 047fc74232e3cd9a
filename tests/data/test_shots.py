"""Which images a drawn set has: a real set's ids and cameras, one image per label."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from capnet.data.layouts import scan
from capnet.data.shots import plan_shots
from capnet.data.synthetic import generate
from capnet.settings import Synthetic

MARKET = Path(__file__).resolve().parents[3] / "shared" / "data" / "market1501-labels.npz"
COUNTS = ("train_ids", "test_ids", "cameras", "images_per_camera", "distractors", "junk")
FOLDERS = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
LABELS = {  # sorted, as the names of a benchmark's files are
    "train_label": [7, 7, 7, 1501, 1501],
    "train_camid": [0, 0, 14, 1, 2],
    "query_pid": [2, 2, 30],
    "query_camid": [0, 3, 5],
    "gallery_pid": [-1, -1, 0, 0, 0, 2, 2, 30, 30],
    "gallery_camid": [0, 3, 0, 0, 5, 0, 3, 1, 5],
}


def written(path: Path, labels: dict[str, object]) -> Path:
    np.savez(path, **{key: np.asarray(values) for key, values in labels.items()})
    return path


def planned(labels: Path | None, **counts: int) -> list:
    return plan_shots(labels, **(dict.fromkeys(COUNTS) | counts))


def pairs(labels: dict[str, object], split: str) -> list[tuple[int, int]]:
    pid = "label" if split == "train" else "pid"
    return list(zip(labels[f"{split}_{pid}"], labels[f"{split}_camid"], strict=True))


def test_every_label_gives_one_image_of_its_person_and_camera(tmp_path: Path) -> None:
    path = written(tmp_path / "labels.npz", LABELS)
    size = {"height": 32, "width": 16}
    generate(tmp_path / "set", seed=1, labels=str(path), background_leak=0.5, **size, workers=1)
    records = scan("market", tmp_path / "set" / "images")
    for split in FOLDERS:
        found = [(record.pid, record.camid - 1) for record in records if record.split == split]
        assert Counter(found) == Counter(pairs(LABELS, split))
    masks = {path.relative_to(tmp_path / "set/masks") for path in tmp_path.glob("set/masks/*/*")}
    assert masks == {Path(record.path).with_suffix(".png") for record in records}


CAMERA = st.integers(0, 24)


@given(
    train=st.lists(st.tuples(st.integers(1, 4), CAMERA), min_size=1),
    query=st.lists(st.tuples(st.integers(5, 9999), CAMERA), min_size=1),
    gallery=st.lists(st.tuples(st.sampled_from([-1, 0, 5, 6, 9999]), CAMERA), min_size=1),
)
def test_the_plan_has_the_labels_counts_and_no_name_twice(
    tmp_path_factory: pytest.TempPathFactory,
    train: list[tuple[int, int]],
    query: list[tuple[int, int]],
    gallery: list[tuple[int, int]],
) -> None:
    labels: dict[str, object] = {}
    for key, images in (("train_label", train), ("query_pid", query), ("gallery_pid", gallery)):
        labels[key], labels[f"{key.split('_')[0]}_camid"] = zip(*images, strict=True)
    shots = planned(written(tmp_path_factory.mktemp("labels") / "labels.npz", labels))
    for split, images in (("train", train), ("query", query), ("gallery", gallery)):
        found = [(s.pid, s.camera - 1) for s in shots if s.folder == FOLDERS[split]]
        assert found == images
    assert len({(shot.pid, shot.camera, shot.number) for shot in shots}) == len(shots)


@pytest.mark.skipif(not MARKET.exists(), reason="Market-1501's labels are not in ../shared/data")
def test_market1501_has_its_published_counts() -> None:
    shots = planned(MARKET)
    people = {s: [x for x in shots if x.folder == folder] for s, folder in FOLDERS.items()}
    junk = [shot for shot in people["gallery"] if shot.pid == -1]
    assert [len(images) for images in people.values()] == [12936, 3368, 15913 + 3819]
    assert [len({s.pid for s in x if s.pid > 0}) for x in people.values()] == [751, 750, 750]
    assert (len(junk), {shot.camera for shot in shots}) == (3819, {1, 2, 3, 4, 5, 6})


def changed(**changes: object) -> dict[str, object]:
    return {key: values for key, values in (LABELS | changes).items() if values is not None}


@pytest.mark.parametrize(
    ("labels", "key", "fault"),
    [
        (changed(query_camid=None), "query_camid", "has no array"),
        (changed(train_label=[0, 1, 2, 3, 4]), "train_label", "from 1 to 9999, not 0"),
        (changed(gallery_pid=[-2, *LABELS["gallery_pid"][1:]]), "gallery_pid", "not -2"),
        (changed(query_pid=[2, 2, 10000]), "query_pid", "from 1 to 9999, not 10000"),
        (changed(query_camid=[0, 3, 25]), "query_camid", "from 0 to 24, not 25"),
        (changed(train_camid=[1, 2]), "train_camid", "has 2 entries, train_label 5"),
        (changed(train_camid=[]), "train_camid", "a list of whole numbers"),
        (changed(train_camid=[0.0] * 5), "train_camid", "a list of whole numbers"),
        (changed(train_camid=[[0]] * 5), "train_camid", "a list of whole numbers"),
        (changed(train_camid=["a"] * 5), "train_camid", "a list of whole numbers"),
        (changed(train_label=[7, 7, 7, 30, 30]), "train_label", "1 people of query_pid"),
    ],
)
def test_a_wrong_label_is_named_with_its_file(
    tmp_path: Path, labels: dict[str, object], key: str, fault: str
) -> None:
    path = written(tmp_path / "labels.npz", labels)
    with pytest.raises(ValueError, match=r"^labels: ") as caught:
        generate(tmp_path / "set", seed=1, height=32, width=16, labels=path, workers=1)
    assert all(part in str(caught.value) for part in (str(path), key, fault))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", b"pids,cameras\n1,1\n"])
def test_a_file_that_holds_no_labels_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "labels.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^labels: .*labels\.npz cannot be read as \.npz: .+"):
        planned(path)


@pytest.mark.parametrize("given", [{}, {"train_ids": 2}, {"labels": "a.npz", "junk": 0}])
def test_labels_and_counts_exclude_each_other(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^labels must be given, or all of train_ids, "):
        planned(given.get("labels"), **{k: v for k, v in given.items() if k != "labels"})
    dials = ("clutter", "occlusion", "misalignment", "camera_shift", "clothing_similarity")
    block = {"seed": 1, "height": 32, "width": 16, **dict.fromkeys(dials, 0.5)}
    assert Synthetic(**block, labels="a.npz").train_ids is None
    with pytest.raises(ValidationError, match="give either `labels`, or all of train_ids"):
        Synthetic(**block, **given)
