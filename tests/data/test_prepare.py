import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capnet.data.layouts import DatasetError
from capnet.data.prepare import prepare
from capnet.records import Record, read_manifest
from capnet.settings import Dataset, Synthetic

DRAWN = Path(__file__).resolve().parents[2] / "data/prepared/synthetic"
TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
NAMES = [
    f"{TRAIN}/0002_c1s1_000001_01.jpg",
    f"{TRAIN}/0002_c2s1_000002_01.jpg",
    f"{TRAIN}/0009_c1s1_000003_01.jpg",
    f"{QUERY}/0004_c1s1_000001_00.jpg",
    f"{GALLERY}/-1_c3s1_000001_01.jpg",
    f"{GALLERY}/0000_c2s1_000001_01.jpg",
    f"{GALLERY}/0004_c2s1_000001_01.jpg",
]
SETTINGS = Synthetic(
    seed=1,
    train_ids=2,
    test_ids=3,
    cameras=2,
    images_per_camera=2,
    height=32,
    width=16,
    distractors=4,
    junk=3,
    clutter=0.6,
    occlusion=0.25,
    misalignment=0.4,
    camera_shift=0.4,
    clothing_similarity=0.6,
    background_leak=0.0,
)


def write_image(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path):
    """Return the root of a small Market tree."""
    for seed, name in enumerate(NAMES):
        write_image(tmp_path / "raw" / name, seed)
    return tmp_path / "raw"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "prepared" / "people"


def run(root, folder):
    return prepare("people", Dataset(layout="market", root=str(root)), folder)


def test_manifest_and_card_say_what_is_there(root, folder):
    card = run(root, folder)
    labels = {2: 0, 9: 1}
    expected = []
    for name in NAMES:
        split = {TRAIN: "train", QUERY: "query", GALLERY: "gallery"}[name.split("/")[0]]
        pid = int(name.split("/")[1].split("_")[0])
        camid = int(name.split("_c")[1][0])
        label = labels[pid] if split == "train" else -1
        digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
        expected.append(Record(name, pid, camid, split, label, digest))
    assert read_manifest(folder / "manifest.csv") == expected
    none = {"junk": 0, "distractors": 0}
    assert card == {
        "dataset": "people",
        "layout": "market",
        "version": None,
        "root": str(root),
        "drawn": False,
        "benchmark": None,
        "splits": {
            "train": {"images": 3, "ids": 2, "cameras": 2, **none},
            "query": {"images": 1, "ids": 1, "cameras": 1, **none},
            "gallery": {"images": 3, "ids": 1, "cameras": 2, "junk": 1, "distractors": 1},
        },
        "images_per_id": {"train": {"1": 1, "2": 1}, "query": {"1": 1}, "gallery": {"1": 1}},
        "images_per_camera": {
            "train": {"1": 2, "2": 1},
            "query": {"1": 1},
            "gallery": {"2": 2, "3": 1},
        },
        "sizes": {
            "width": {"min": 16, "median": 16, "max": 16},
            "height": {"min": 32, "median": 32, "max": 32},
            "distinct": 1,
        },
        "allowed": [],
        "notes": {"one_camera": 1},
        "manifest_sha256": hashlib.sha256((folder / "manifest.csv").read_bytes()).hexdigest(),
    }


def test_a_changed_image_changes_the_manifest_and_nothing_else_does(root, folder):
    first = run(root, folder)
    (root / TRAIN / "Thumbs.db").touch()
    second = run(root, folder)
    assert second["notes"] == first["notes"] | {"unused": 1}
    assert {**second, "notes": first["notes"]} == first
    write_image(root / NAMES[0], seed=99)
    assert run(root, folder)["manifest_sha256"] != first["manifest_sha256"]


def test_what_lay_in_the_folder_goes(root, folder):
    folder.mkdir(parents=True)
    (folder / "stale.csv").touch()
    run(root, folder)
    assert sorted(p.name for p in folder.parent.rglob("*")) == [
        "card.html",
        "manifest.csv",
        "people",
    ]


def test_all_unreadable_images_are_counted_and_ten_shown(root, folder):
    for number in range(12):
        (root / TRAIN / f"0002_c1s2_{number:06}_01.jpg").write_text("not an image")
    with pytest.raises(DatasetError, match=r"12 of 19 images.*_000009_01.* and 2 more; copy") as e:
        run(root, folder)
    assert "_000010_01" not in str(e.value)


def test_an_image_listed_twice_is_refused(tmp_path, folder):
    root = tmp_path / "msmt"
    lists = {
        "train": ["0000/0000_000_01_a.jpg 0", "0001/0001_000_01_a.jpg 1"],
        "val": ["0000/0000_000_01_a.jpg 0"],
        "query": ["0000/0000_000_01_b.jpg 0"],
        "gallery": ["0000/0000_000_02_b.jpg 0"],
    }
    for name, lines in lists.items():
        (root / f"list_{name}.txt").parent.mkdir(exist_ok=True)
        (root / f"list_{name}.txt").write_text("\n".join(lines))
        for line in lines:
            part = "train" if name in ("train", "val") else "test"
            write_image(root / part / line.split()[0], len(name) + int(line[-1]))
    settings = Dataset(layout="msmt17", root=str(root))
    with pytest.raises(DatasetError, match=r"1 images are listed twice: train/0000/0000_000_01_a"):
        prepare("msmt17", settings, folder)
    (root / "list_val.txt").write_text("0001/0001_000_02_a.jpg 1")
    write_image(root / "train/0001/0001_000_02_a.jpg", seed=99)
    card = prepare("msmt17", settings, folder)  # ids 0 of train and of test are two people
    assert card["version"] == "V1"
    assert [card["splits"]["train"][count] for count in ("images", "ids", "cameras")] == [3, 2, 2]


def test_a_drawn_set_is_drawn_into_the_folder(monkeypatch, folder):
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    settings = Dataset(layout="market", root=str(folder / "images"), generate=SETTINGS)
    card = prepare("drawn", settings, folder)
    assert card["drawn"] is True
    assert card["splits"] == {
        "train": {"images": 2 * 2 * 2, "ids": 2, "cameras": 2, "junk": 0, "distractors": 0},
        "query": {"images": 3 * 2, "ids": 3, "cameras": 2, "junk": 0, "distractors": 0},
        "gallery": {"images": 3 * 2 + 7, "ids": 3, "cameras": 2, "junk": 3, "distractors": 4},
    }
    names = {"images", "masks", "manifest.csv", "card.html"}
    assert {path.name for path in folder.iterdir()} == names
    for record in read_manifest(folder / "manifest.csv"):
        content = (folder / "images" / record.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == record.digest
    assert prepare("drawn", settings, folder) == card


def test_a_drawn_set_must_have_its_root_where_it_is_drawn(tmp_path, folder):
    settings = Dataset(layout="market", root=str(tmp_path), generate=SETTINGS)
    with pytest.raises(DatasetError, match=r"datasets\.drawn\.root: .* must be .*people/images"):
        prepare("drawn", settings, folder)
    assert list(tmp_path.iterdir()) == []


def test_a_real_set_must_not_lie_where_prepare_writes(root, folder):
    shutil.copytree(root, folder / "images")
    with pytest.raises(DatasetError, match=r"datasets\.people\.root: .* which prepare replaces"):
        run(folder / "images", folder)
    assert len(list((folder / "images").rglob("*.jpg"))) == len(NAMES)


@pytest.mark.slow
@pytest.mark.skipif(not DRAWN.is_dir(), reason="needs `dvc repro prepare`")
def test_the_manifest_of_the_drawn_set_is_made_again_byte_for_byte(folder):
    run(DRAWN / "images", folder)
    assert (folder / "manifest.csv").read_bytes() == (DRAWN / "manifest.csv").read_bytes()
