import tarfile
from pathlib import Path

import pytest

from capnet.data.layouts import DatasetError, scan, version
from capnet.records import Record

CUHK03 = (
    Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cuhk03-np-detected.tar.gz"
)
# Layout -> files, and what must be read from their names: path, pid, camid, split.
TREES = {
    "market": [
        ("bounding_box_train/0002_c1s1_000451_03.jpg", 2, 1, "train"),
        ("bounding_box_train/0007_c6s3_077419_01.jpg", 7, 6, "train"),
        ("query/0003_c2s1_000001_00.jpg", 3, 2, "query"),
        ("bounding_box_test/-1_c3s2_000002_05.jpg", -1, 3, "gallery"),
        ("bounding_box_test/0000_c4s1_000151_01.jpg", 0, 4, "gallery"),
        ("bounding_box_test/0003_c1s1_000151_01.jpg", 3, 1, "gallery"),
    ],
    "duke": [
        ("bounding_box_train/0001_c2_f0046182.jpg", 1, 2, "train"),
        ("query/0005_c8_f0046985.jpg", 5, 8, "query"),
        ("bounding_box_test/4178_c1_f0056001.jpg", 4178, 1, "gallery"),
    ],
    "cuhk03_np": [
        ("bounding_box_train/0001_c1_1.png", 1, 1, "train"),
        ("bounding_box_train/0001_c2_06.jpg", 1, 2, "train"),
        ("query/0003_c1_1.png", 3, 1, "query"),
        ("bounding_box_test/1467_c2_10.png", 1467, 2, "gallery"),
    ],
    "msmt17": [  # the lists number both train and test people from 0
        ("{train}/0000/0000_000_01_0303morning_0015_0.jpg", 10000, 1, "train"),
        ("{train}/0001/0001_004_15_0303morning_0020_1.jpg", 10001, 15, "train"),
        ("{train}/0000/0000_009_02_0303noon_0031_0.jpg", 10000, 2, "train"),  # of list_val.txt
        ("{test}/0000/0000_001_03_0303morning_0001_0.jpg", 20000, 3, "query"),
        ("{test}/0000/0000_002_12_0303afternoon_0001_0.jpg", 20000, 12, "gallery"),
        ("{test}/3059/3059_002_04_0303afternoon_0009_2.jpg", 23059, 4, "gallery"),
    ],
}
FOLDERS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}
LISTS = {
    "list_train.txt": [
        "0000/0000_000_01_0303morning_0015_0.jpg 0",
        "0001/0001_004_15_0303morning_0020_1.jpg 1",
    ],
    "list_val.txt": ["0000/0000_009_02_0303noon_0031_0.jpg 0"],
    "list_query.txt": ["0000/0000_001_03_0303morning_0001_0.jpg 0"],
    "list_gallery.txt": [
        "0000/0000_002_12_0303afternoon_0001_0.jpg 0",
        "3059/3059_002_04_0303afternoon_0009_2.jpg 3059",
    ],
}


def build(root: Path, layout: str, release: str = "V1", order: int = 1) -> list[Record]:
    """Create a layout's empty files, in the order +1 or -1, and return the records to expect."""
    train, test = FOLDERS[release]
    expected = []
    for name, pid, camid, split in TREES[layout][::order]:
        path = name.format(train=train, test=test)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
        expected.append(Record(path, pid, camid, split, -1, ""))
    if layout == "msmt17":
        for name, lines in LISTS.items():
            (root / name).write_text("\n".join(lines[::order]) + "\n")
    return expected[::order]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("layout", TREES)
def test_names_become_records_whatever_the_order_of_files(tmp_path, layout, order):
    expected = build(tmp_path, layout, order=order)
    assert scan(layout, tmp_path) == expected


@pytest.mark.parametrize("release", ["V1", "V2"])
def test_msmt17_release_is_told_by_its_folders(tmp_path, release):
    expected = build(tmp_path, "msmt17", release)
    assert scan("msmt17", tmp_path) == expected
    assert version("msmt17", tmp_path) == release


def test_other_layouts_have_no_release(tmp_path):
    build(tmp_path, "market")
    assert version("market", tmp_path) is None


@pytest.mark.parametrize("layout", TREES)
def test_root_may_be_the_folder_above(tmp_path, layout):
    expected = build(tmp_path / "as_unpacked", layout)
    paths = [f"as_unpacked/{record.path}" for record in expected]
    assert [record.path for record in scan(layout, tmp_path)] == paths


def test_two_releases_below_one_root_are_an_error(tmp_path):
    build(tmp_path / "MSMT17_V1", "msmt17", "V1")
    build(tmp_path / "MSMT17_V2", "msmt17", "V2")
    with pytest.raises(DatasetError, match=r"more than one data set.*MSMT17_V1 V1.*MSMT17_V2 V2"):
        scan("msmt17", tmp_path)


def test_what_is_no_image_is_skipped(tmp_path):
    expected = build(tmp_path, "market")
    for name in ("Thumbs.db", "._0002_c1s1_000451_03.jpg", "notes.txt"):
        (tmp_path / "bounding_box_train" / name).touch()
    assert scan("market", tmp_path) == expected


@pytest.mark.parametrize("layout", TREES)
def test_missing_root_draws_the_expected_tree(tmp_path, layout):
    with pytest.raises(DatasetError) as error:
        scan(layout, tmp_path / "nowhere")
    message = str(error.value)
    assert "nowhere is not a folder" in message
    assert "from its authors" in message
    for name, *_ in TREES[layout]:
        assert f"|-- {name.format(train='train', test='test').split('/')[0]}/" in message
    assert ("list_gallery.txt" in message) == (layout == "msmt17")
    assert ("mask_train_v2/" in message) == (layout == "msmt17")


def test_a_file_as_root_is_an_error(tmp_path):
    (tmp_path / "archive.zip").touch()
    with pytest.raises(DatasetError, match=r"archive\.zip is not a folder"):
        scan("market", tmp_path / "archive.zip")


def test_an_empty_root_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="holds no data set of layout duke"):
        scan("duke", tmp_path)


@pytest.mark.parametrize(
    ("layout", "missing"),
    [("market", "query"), ("cuhk03_np", "bounding_box_test"), ("msmt17", "test")],
)
def test_a_missing_split_folder_is_named(tmp_path, layout, missing):
    build(tmp_path, layout)
    (tmp_path / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=f"lacks {missing};"):
        scan(layout, tmp_path)


def test_a_missing_list_is_named(tmp_path):
    build(tmp_path, "msmt17")
    (tmp_path / "list_val.txt").unlink()
    with pytest.raises(DatasetError, match=r"lacks list_val\.txt;"):
        scan("msmt17", tmp_path)


def test_an_empty_split_is_named(tmp_path):
    build(tmp_path, "market")
    (tmp_path / "query" / "0003_c2s1_000001_00.jpg").unlink()
    with pytest.raises(DatasetError, match="query: no images"):
        scan("market", tmp_path)


def test_an_empty_list_is_named(tmp_path):
    build(tmp_path, "msmt17")
    (tmp_path / "list_query.txt").write_text("\n")
    with pytest.raises(DatasetError, match=r"list_query\.txt: no images"):
        scan("msmt17", tmp_path)


def test_strange_names_are_counted_and_the_first_shown(tmp_path):
    build(tmp_path, "market")
    for number in range(13):
        (tmp_path / "query" / f"person{number:02}.jpg").touch()
    with pytest.raises(DatasetError) as error:
        scan("market", tmp_path)
    message = str(error.value)
    assert "query: 13 names are not like 0002_c1s1_000451_03.jpg" in message
    assert "person00.jpg, person01.jpg" in message
    assert "person09.jpg and 3 more" in message
    assert "person10" not in message


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("market", "bounding_box_train/-1_c1s1_000451_03.jpg"),  # junk belongs to the gallery
        ("market", "query/0000_c1s1_000451_03.jpg"),
        ("duke", "bounding_box_test/0000_c2_f0046182.jpg"),  # Duke has neither junk nor id 0
        ("duke", "bounding_box_test/-1_c2_f0046182.jpg"),
        ("cuhk03_np", "bounding_box_test/0001_c1.png"),
        ("market", "bounding_box_test/0001_c1_1.png"),
    ],
)
def test_a_name_of_another_kind_is_refused(tmp_path, layout, name):
    build(tmp_path, layout)
    (tmp_path / name).touch()
    with pytest.raises(DatasetError, match=f"1 names are not like.*{Path(name).name}"):
        scan(layout, tmp_path)


def test_listed_files_that_were_not_copied_are_counted(tmp_path):
    build(tmp_path, "msmt17")
    (tmp_path / "test/3059/3059_002_04_0303afternoon_0009_2.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 of 2 files of list_gallery\.txt are missing: 3059/"):
        scan("msmt17", tmp_path)


@pytest.mark.parametrize(
    "line", ["0000/face.jpg 3", "no_space", "../0000_000_01_x.jpg 1", "\udcff"]
)
def test_a_strange_line_of_a_list_is_shown(tmp_path, line):
    build(tmp_path, "msmt17")
    for name in ("0000/face.jpg", "../0000_000_01_x.jpg"):
        (tmp_path / "train" / name).touch()
    with (tmp_path / "list_train.txt").open("a", errors="surrogateescape") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=r"list_train\.txt: 1 names are not like"):
        scan("msmt17", tmp_path)


@pytest.mark.skipif(not CUHK03.exists(), reason="CUHK03-NP is not in ../shared/data")
def test_cuhk03_np_has_the_published_counts(tmp_path):  # R27
    with tarfile.open(CUHK03) as archive:
        names = [member.name for member in archive if member.isfile()]
    for folder in {Path(name).parent for name in names}:
        (tmp_path / folder).mkdir(parents=True)
    for name in names:
        (tmp_path / name).touch()
    records = scan("cuhk03_np", tmp_path / "cuhk03-np" / "detected")
    splits = [[r for r in records if r.split == s] for s in ("train", "query", "gallery")]
    assert [len(split) for split in splits] == [7365, 1400, 5332]
    train, query, gallery = ({r.pid for r in split} for split in splits)
    assert (len(train), len(query)) == (767, 700)
    assert query == gallery
    assert not train & query
    assert {r.camid for r in records} == {1, 2}
