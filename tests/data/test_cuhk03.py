"""CUHK03-NP's folders from a tiny release with the structure of the original one."""

import sys

import numpy as np
import pytest
from PIL import Image

from capnet.data.cuhk03 import convert, read_split
from capnet.data.layouts import DatasetError, scan

scipy_io = pytest.importorskip("scipy.io", reason="the split file needs SciPy")
PEOPLE = (3, 2)  # of each pair of cameras
# List name -> the person's number, and for what; image 4 of 1_002 is missing from the release.
SPLIT = {
    "1_001_1_01.png": (1, "train"),
    "1_001_2_06.png": (1, "train"),
    "1_002_1_05.png": (2, "gallery"),
    "1_002_2_10.png": (2, "query"),
    "2_001_1_02.png": (4, "train"),
    "2_002_1_01.png": (5, "query"),
    "2_002_2_07.png": (5, "gallery"),
}
EXPECTED = {  # folder and file -> pair, person, image
    "bounding_box_train/0001_c1_1.png": (1, 1, 1),
    "bounding_box_train/0001_c2_2.png": (1, 1, 6),
    "bounding_box_test/0002_c1_3.png": (1, 2, 5),
    "query/0002_c2_4.png": (1, 2, 10),
    "bounding_box_train/0004_c1_5.png": (2, 1, 2),
    "query/0005_c1_6.png": (2, 2, 1),
    "bounding_box_test/0005_c2_7.png": (2, 2, 7),
}


def pixels(boxes, pair, person, image):
    """An image of its own for each cell, each of another size."""
    rng = np.random.default_rng([len(boxes), pair, person, image])
    return rng.integers(0, 256, (4 + pair, 2 + person, 3), dtype=np.uint8)


def write_split(folder, boxes="detected", split=None, **changes):
    """Write a split file as MATLAB does: columns, a cell of names, places from 1."""
    split = split or SPLIT
    names = np.empty((len(split), 1), dtype=object)
    names[:, 0] = list(split)
    content = {
        "filelist": names,
        "labels": np.array([[pid] for pid, _ in split.values()], dtype=np.uint16),
        "camId": np.array([[int(name[6])] for name in split], dtype=np.uint8),
    }
    for part in ("train", "query", "gallery"):
        places = [[i] for i, (_, each) in enumerate(split.values(), 1) if each == part]
        content[f"{part}_idx"] = np.array(places, dtype=np.uint16)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"cuhk03_new_protocol_config_{boxes}.mat"
    scipy_io.savemat(path, content | changes)
    return path


@pytest.fixture
def release(tmp_path):
    """Write cuhk-03.mat as MATLAB 7.3 does: cells are references, dimensions are reversed."""
    h5py = pytest.importorskip("h5py", reason="cuhk-03.mat needs h5py (pip install h5py)")
    folder = tmp_path / "cuhk03_release"
    folder.mkdir()
    with h5py.File(folder / "cuhk-03.mat", "w") as file:
        for boxes in ("detected", "labeled"):
            pairs = file.create_dataset(boxes, (1, len(PEOPLE)), dtype=h5py.ref_dtype)
            for pair, people in enumerate(PEOPLE, 1):
                table = file.create_dataset(f"{boxes}{pair}", (10, people), dtype=h5py.ref_dtype)
                for person in range(1, people + 1):
                    for image in range(1, 11):
                        content = pixels(boxes, pair, person, image).T
                        if (pair, person, image) == (1, 2, 4):
                            content = np.zeros(2, dtype=np.uint64)  # an empty cell
                        cell = file.create_dataset(f"{boxes}{pair}_{person}_{image}", data=content)
                        table[image - 1, person - 1] = cell.ref
                pairs[0, pair - 1] = table.ref
    return folder


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
@pytest.mark.parametrize("beside", [False, True])
def test_folders_hold_the_pixels_of_the_release(release, tmp_path, boxes, beside):
    write_split(release.parent if beside else release, boxes)
    target = tmp_path / "cuhk03-np" / boxes
    counts = convert(release, boxes, target)
    assert counts == {"bounding_box_train": 3, "query": 2, "bounding_box_test": 2}
    assert {p.relative_to(target).as_posix() for p in target.rglob("*.png")} == set(EXPECTED)
    for path, cell in EXPECTED.items():
        np.testing.assert_array_equal(np.asarray(Image.open(target / path)), pixels(boxes, *cell))
    assert [path.name for path in target.parent.iterdir()] == [boxes]  # and nothing else is left


def test_the_layout_reads_what_was_written(release, tmp_path):
    write_split(release)
    convert(release, "detected", tmp_path / "detected")
    read = {r.path: (r.pid, r.camid, r.split) for r in scan("cuhk03_np", tmp_path / "detected")}
    folders = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
    assert read == {
        f"{folders[split]}/{pid:04}_c{name[6]}_{place}.png": (pid, int(name[6]), split)
        for place, (name, (pid, split)) in enumerate(SPLIT.items(), 1)
    }


def refused(release, tmp_path, match):
    """Expect one message, and no trace of the target."""
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DatasetError, match=match):
        convert(release, "detected", tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before


def test_images_that_the_release_lacks_are_listed(release, tmp_path):
    lost = {"1_002_1_04.png": (2, "train"), "2_003_1_01.png": (6, "train")}
    write_split(release, split=SPLIT | lost)
    match = r"lacks 2 of 9 detected images .*/0002_c1_8\.png, .*/0006_c1_9\.png; use the split"
    refused(release, tmp_path, match)


def test_a_release_of_another_kind_is_refused(release, tmp_path):
    write_split(release)
    (release / "cuhk-03.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    refused(release, tmp_path, r"cuhk-03\.mat is not the original release .*; copy it again")
    (release / "cuhk-03.mat").unlink()
    refused(release, tmp_path, r"cuhk-03\.mat: no such file; name the unpacked folder")


def test_without_h5py_the_message_says_what_to_install(tmp_path, monkeypatch):
    write_split(tmp_path / "cuhk03_release")
    monkeypatch.setitem(sys.modules, "h5py", None)
    match = "h5py is not installed; `pip install h5py scipy`"
    refused(tmp_path / "cuhk03_release", tmp_path, match)


def test_a_missing_split_file_is_named_with_its_source(tmp_path):
    (tmp_path / "cuhk03_release").mkdir()
    match = r"holds no cuhk03_new_protocol_config_detected\.mat.*zhunzhong07/person-re-ranking"
    refused(tmp_path / "cuhk03_release", tmp_path, match)


def test_an_existing_target_is_left_alone(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.txt").touch()
    refused(tmp_path, tmp_path, "new exists; remove it, or name another folder")


@pytest.mark.parametrize(
    "changes",
    [
        {"train_idx": np.array([[1], [8]])},  # of seven
        {"train_idx": np.array([[0]])},
        {"camId": np.array([[2]] * 7)},  # not what the names say
        {"filelist": np.array([["0001_c1_1.png"]] * 7, dtype=object)},
        {"labels": np.array([[1]])},
    ],
)
def test_a_split_file_of_another_kind_is_refused(tmp_path, changes):
    path = write_split(tmp_path, **changes)
    with pytest.raises(DatasetError, match=r"is not the published split .*; copy it again from"):
        read_split(path)


@pytest.mark.parametrize("content", [b"", b"no MATLAB here" * 20])
def test_a_file_that_is_no_matlab_is_refused(tmp_path, content):
    (tmp_path / "split.mat").write_bytes(content)
    with pytest.raises(DatasetError, match=r"split\.mat is not the published split"):
        read_split(tmp_path / "split.mat")
