"""Damaged data sets: each row is a good tree, one damage, and what the message must say."""

import os

import pytest
from PIL import Image

from capnet.data.layouts import DatasetError
from capnet.data.prepare import prepare
from capnet.settings import Dataset
from tests.data.trees import (
    FILES,
    GALLERY,
    QUERY,
    TRAIN,
    both,
    copy,
    cut,
    flip,
    huge,
    link,
    mkdir,
    move,
    picture,
    plant,
    put,
    put_text,
    remove,
)

A, B, C, Q, Q2, JUNK, NOBODY, G, G2 = FILES["market"]
DUKE, CUHK, MSMT = FILES["duke"], FILES["cuhk03_np"], FILES["msmt17"]
TURNED = Image.Exif()
TURNED[0x0112] = 6
NOT_UTF8 = os.fsdecode(b"0002_c1s1_\xff.jpg")
TWIN = f"{TRAIN}/0002_c1s1_000009_01.jpg"

MARKET = {
    "an image without its end": (cut(A, -200), "unreadable: 1 of 9", A, "truncated"),
    "an image without a body": (cut(A, 20), "unreadable: 1 of 9", A),
    "text in an image's place": (put_text(A, "hello"), "unreadable: 1 of 9", f"{A} (no image"),
    "a web page in an image's place": (put_text(G, "<html>404</html>"), "unreadable", G),
    "an empty file": (put(A, b""), "unreadable: 1 of 9", f"{A} (0 bytes)"),
    "a folder named like an image": (
        both(remove(A), mkdir(A)),
        *("unreadable: 1 of 9", f"{A} (Is a directory)"),
    ),
    "a link to nothing": (both(remove(A), link(A, "gone.jpg")), "unreadable", "No such file"),
    "a link to itself": (both(remove(A), link(A, f"raw/{A}")), "unreadable: 1 of 9", A),
    "16 bits a pixel": (
        put(A, picture(A, mode="I;16", form="png")),
        *("deep: 1 of 9", f"{A} (mode I;16, not 8 bits)", "convert"),
    ),
    "32 bits a pixel": (put(A, picture(A, mode="I", form="tiff")), "deep: 1 of 9", "mode I, not"),
    "pixels as floats": (put(A, picture(A, mode="F", form="tiff")), "deep: 1 of 9", "mode F, not"),
    "a bomb": (put(A, huge(60000, 60000)), "bombs: 1 of 9", A, "3600000000 pixels"),
    "a small bomb": (put(A, huge(10000, 9500)), "bombs: 1 of 9", A, "95000000 pixels"),
    "an image on its side": (
        put(A, picture(A, exif=TURNED)),
        *("rotated: 1 images", A, "allow: {rotated: ...}"),
    ),
    "a crop of nothing": (put(A, picture(A, size=(4, 40))), "tiny: 1 images", f"{A} (4x40)"),
    "one person to train on": (remove(C), "nothing_to_train: the train images show one person"),
    "a train person in the gallery": (
        put(f"{GALLERY}/0002_c4s1_000001_01.jpg"),
        *("shared_people: 1 people", ": 2; a test on people"),
    ),
    "a train person as a query": (
        put(f"{QUERY}/0009_c4s1_000001_01.jpg"),
        *("shared_people: 1 people", ": 9;", "unmatched_queries: 1 of 3"),
    ),
    "no query with a match": (
        both(remove(G), remove(G2)),
        *("nothing_to_score: no query", "Nobody can allow nothing_to_score"),
    ),
    "matches by the same camera alone": (
        both(
            move(G, f"{GALLERY}/0004_c1s1_000002_01.jpg"),
            move(G2, f"{GALLERY}/0005_c1s1_000002_01.jpg"),
        ),
        *("nothing_to_score: no query", "by another camera"),
    ),
    "a query without a match": (remove(G), "unmatched_queries: 1 of 2 queries", Q),
    "no query folder": (remove(QUERY), f"lacks {QUERY}; obtain", f"{GALLERY}/"),
    "no train folder": (remove(TRAIN), f"lacks {TRAIN}; obtain"),
    "no gallery folder": (remove(GALLERY), f"lacks {GALLERY}; obtain"),
    "an empty train folder": (both(remove(TRAIN), mkdir(TRAIN)), f"{TRAIN}: no images", "again"),
    "an empty query folder": (both(remove(QUERY), mkdir(QUERY)), f"{QUERY}: no images", "again"),
    "an empty gallery folder": (both(remove(GALLERY), mkdir(GALLERY)), f"{GALLERY}: no images"),
    "no root": (remove(""), "raw is not a folder; obtain"),
    "a file as root": (both(remove(""), put("", b"tar")), "raw is not a folder; obtain"),
    "an empty root": (both(remove(""), mkdir("")), "holds no data set of layout market"),
    "a name of another kind": (put(f"{TRAIN}/portrait.jpg"), "1 names are not like", "portrait"),
    "a name without a camera": (put(f"{TRAIN}/0002_000451_03.jpg"), "1 names are not like"),
    "DukeMTMC's names": (put(f"{TRAIN}/0001_c2_f0046182.jpg"), "not like 0002_c1s1_000451_03"),
    "junk to train on": (put(f"{TRAIN}/-1_c1s1_000451_03.jpg"), "1 names are not like", "-1_c1"),
    "a distractor as a query": (put(f"{QUERY}/0000_c1s1_000451_03.jpg"), "1 names are not like"),
    "an image in train and gallery": (
        copy(A, G),
        f"shared_images: 1 images are in two splits: {A} = {G}",
    ),
    "an image in query and gallery": (
        copy(Q, G),
        f"shared_images: 1 images are in two splits: {Q} = {G}",
    ),
    "an image twice in train": (copy(A, B), "repeated_images: 1 images", f"{A} = {B}"),
    "an image twice in the gallery": (copy(NOBODY, JUNK), "repeated_images: 1 images", JUNK),
    "names alike but for capitals": (
        put(A.replace(".jpg", ".JPG"), picture("another")),
        *("case: 1 names differ", f"{A.replace('.jpg', '.JPG')} = {A}"),
    ),
    "an image behind a link": (link(A, "elsewhere.jpg"), "links: 1 images", A, "allow: {links"),
    "a folder behind a link": (link(QUERY, "elsewhere"), "links: 2 images", Q, Q2),
    "a name of two lines": (put(f"{TRAIN}/0002_c1s1_a\rb.jpg"), "names: 1 names", r"a\rb"),
    "a name that is not UTF-8": (put(f"{TRAIN}/{NOT_UTF8}"), "names: 1 names", r"\udcff"),
    "two data sets": (
        both(remove(""), mkdir(f"a/{TRAIN}"), mkdir(f"b/{QUERY}")),
        "holds more than one data set",
    ),
    "many faults": (
        both(put(A, b""), put(C, picture(C, size=(4, 4))), copy(Q, G), remove(G2), copy(JUNK, B)),
        *("unreadable: 1 of 8", "tiny: 1 images", "shared_images: 2 images", "unmatched_queries"),
        "Nobody can allow unreadable:",
    ),
}
OTHERS = {
    "Market's names": ("duke", put(f"{TRAIN}/0002_c1s1_000451_03.jpg"), "not like 0001_c2_f"),
    "a person on both sides": (
        "duke",
        put(f"{GALLERY}/0001_c3_f1.jpg"),
        "shared_people: 1",
        ": 1;",
    ),
    "no match": ("duke", move(DUKE[3], f"{GALLERY}/0005_c8_f0000001.jpg"), "nothing_to_score"),
    "a flipped byte": ("cuhk03_np", flip(CUHK[0], 60), "unreadable: 1 of 4", CUHK[0]),
    "both sets of boxes": (
        "cuhk03_np",
        both(remove(""), mkdir(f"detected/{TRAIN}"), mkdir(f"labeled/{TRAIN}")),
        *("holds more than one data set", "labeled", "name one as root"),
    ),
    "a file of the list missing": ("msmt17", remove(MSMT[2]), "1 of 1 files of list_query.txt"),
    "a list missing": ("msmt17", remove("list_val.txt"), "lacks list_val.txt; obtain"),
    "an empty list": ("msmt17", put("list_query.txt", b""), "list_query.txt: no images"),
    "a line without a pid": ("msmt17", put_text("list_val.txt", MSMT[1][6:]), "list_val.txt"),
    "a list that is no text": ("msmt17", put("list_val.txt", b"\x00\xff\xfe"), "list_val.txt"),
    "a path that leaves the root": (
        "msmt17",
        both(put("../0001_000_02_x.jpg"), put_text("list_val.txt", "../../0001_000_02_x.jpg 1")),
        "1 names are not like",
    ),
    "both releases": ("msmt17", both(mkdir("mask_train_v2"), mkdir("mask_test_v2")), "V1", "V2"),
    "a path in two lists": (
        "msmt17",
        put_text("list_val.txt", f"{MSMT[0][6:]} 0\n{MSMT[1][6:]} 1"),
        *("listed_twice: 1 images", MSMT[0]),
    ),
    "two lists exchanged": (
        "msmt17",
        both(move("test", "t"), move("train", "test"), move("t", "train")),
        "files of list_train.txt are missing",
    ),
}
ROWS = {**{name: ("market", *row) for name, row in MARKET.items()}, **OTHERS}


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("layout", "damage", "words"), [(r[0], r[1], r[2:]) for r in ROWS.values()], ids=ROWS
)
def test_a_damage_is_named_and_nothing_is_written(tmp_path, layout, damage, words):
    root, earlier, first = (tmp_path / name for name in ("raw", "earlier/set", "first/set"))
    plant(root, layout)
    settings = Dataset(layout=layout, root=str(root))
    prepare("set", settings, earlier)
    before = contents(earlier)
    damage(root)
    for folder in (earlier, first):
        with pytest.raises(DatasetError) as error:
            prepare("set", settings, folder)
        message = str(error.value)
        assert message.startswith("datasets.set.root: ")
        assert not [part for part in words if part not in message], message
    assert contents(earlier) == before
    assert list(earlier.parent.iterdir()) == [earlier]
    assert list(first.parent.iterdir()) == []


def test_there_are_enough_of_them():
    assert len(ROWS) >= 40


def test_wrong_names_in_several_folders_are_all_listed(tmp_path):
    root = tmp_path / "raw"
    plant(root, "market")
    both(put(f"{TRAIN}/one.jpg"), put(f"{QUERY}/two.jpg"))(root)
    with pytest.raises(DatasetError, match=r"(?s)one\.jpg.*two\.jpg"):
        prepare("set", Dataset(layout="market", root=str(root)), tmp_path / "set")
