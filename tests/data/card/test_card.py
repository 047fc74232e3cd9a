"""The data card: what its numbers count, and a page that shows them and needs nothing else."""

import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from capnet.data.card.contact_sheet import CAMERAS, HEIGHT, PEOPLE, contact_sheet
from capnet.data.card.notes import MEANING, notes
from capnet.data.card.numbers import card
from capnet.data.checks.examine import Facts, examine
from capnet.data.prepare import prepare
from capnet.records import Record
from capnet.settings import Dataset
from tests.data.trees import FILES, TRAIN, copy, picture, plant, put, put_text

A, B, C, Q, Q2, JUNK, NOBODY, G, G2 = FILES["market"]


class Page(HTMLParser):
    """Every element of a page with its attributes, and its text."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def root(tmp_path):
    plant(tmp_path / "raw", "market")
    return tmp_path / "raw"


def run(root, **settings):
    """Return the card and the page of a data set."""
    folder = root.parent / "prepared"
    dataset = Dataset(layout="market", root=str(root), **settings)
    return prepare("mine", dataset, folder), (folder / "card.html").read_text(encoding="utf-8")


def record(split, pid, camid, number=0):
    return Record(f"{split}/{pid}_{camid}_{number}.jpg", pid, camid, split, -1, "")


def test_histograms_count_people_and_images():
    records = [
        *(record("train", 1, 1, n) for n in range(3)),
        *(record("train", 2, 2, n) for n in range(3)),
        record("train", 3, 2),
        *(record("gallery", pid, -1, n) for pid in (-1, 0) for n in range(5)),
        record("gallery", 9, 10),
    ]
    facts = {r.path: Facts("d", 10 + n, 20, "RGB") for n, r in enumerate(records)}
    numbers = card("x", Dataset(layout="market", root="raw"), None, records, facts)
    assert numbers["images_per_id"] == {"train": {"1": 1, "3": 2}, "query": {}, "gallery": {"1": 1}}
    assert numbers["images_per_camera"]["train"] == {"1": 3, "2": 4}
    assert numbers["images_per_camera"]["gallery"] == {"-1": 10, "10": 1}
    assert numbers["splits"]["gallery"]["cameras"] == 1
    assert numbers["sizes"]["width"] == {"min": 10, "median": 18, "max": 27}
    assert numbers["sizes"]["distinct"] == 18
    assert json.loads(json.dumps(numbers)) == numbers


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"mode": "L"}, {"grey"}),
        ({"mode": "1", "form": "png"}, {"grey"}),
        ({"mode": "P", "form": "png"}, {"palette"}),
        ({"mode": "P", "form": "png", "transparency": 0}, {"palette", "transparent"}),
        ({"mode": "LA", "form": "png"}, {"grey", "transparent"}),
        ({"mode": "RGBA", "form": "png"}, {"transparent"}),
        ({"mode": "CMYK"}, {"other_colours"}),
        ({"size": (40, 30)}, {"lying"}),
        ({"size": (10, 60)}, {"slender"}),
        ({}, set()),
    ],
)
def test_odd_images_are_noted_and_used(root, options, expected):
    usual = {"one_camera": 1}  # pid 9
    put(A, picture("odd", **options))(root)
    numbers, page = run(root)
    assert numbers["notes"] == usual | dict.fromkeys(expected, 1)
    for name in expected:
        assert MEANING[name] in Page(page).text
    assert f"{MEANING['one_camera']}: 9" in Page(page).text


def test_unknown_cameras_and_unused_files_are_noted(tmp_path):
    records = [record("train", 1, -1), record("train", 2, 1), record("train", 2, -1)]
    for r in records:
        put(r.path)(tmp_path)
    put_text("train/2_1_0.webp", "left out")(tmp_path)
    found = notes(tmp_path, records, {})
    assert found == {
        "one_camera": ["2"],
        "unused": ["train/2_1_0.webp"],
        "unknown_camera": [records[0].path, records[2].path],
    }


def test_the_page_loads_nothing_and_says_what_the_numbers_say(root):
    put(f"{TRAIN}/0002_c1s1_<script>.jpg")(root)
    put_text(f"{TRAIN}/notes.txt", "not an image")(root)
    numbers, source = run(root)
    page = Page(source)
    assert not page.of("script")
    assert [link["href"] for link in page.of("link")] == ["data:,"]
    assert "url(" not in source
    assert "@import" not in source
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.of("img"))
    assert all(image["alt"] for image in page.of("img"))
    assert numbers["manifest_sha256"] in page.text
    rows = dict(re.findall(r"<tr><th>(train|query|gallery)</th>(.*?)</tr>", source))
    assert {split: re.findall(r"<td>(.*?)</td>", row) for split, row in rows.items()} == {
        split: [str(n) for n in counts.values()] for split, counts in numbers["splits"].items()
    }


def test_the_page_shows_published_counts_that_differ(root):
    _, source = run(root, benchmark="market1501", allow={"counts": "eight images <b>of</b> it"})
    page = Page(source)
    assert "eight images <b>of</b> it" in page.text
    for number in ("(12936)", "(750)", "(2798)"):
        assert number in page.text


def test_the_same_files_give_the_same_page(root):
    assert run(root) == run(root)


def test_the_contact_sheet_shows_people_by_camera(tmp_path):
    records = [
        *(
            record("train", pid, camid, n)
            for pid in range(1, 40)
            for camid in (1, 2)
            for n in (0, 1)
        ),
        *(record("gallery", pid, camid) for pid in (-1, 0, 50) for camid in range(3, 20)),
    ]
    for r in records:
        put(r.path)(tmp_path)
    cameras, rows = contact_sheet(tmp_path, records)
    assert cameras == sorted(set(cameras))
    assert len(cameras) <= CAMERAS
    people = {split: [r.pid for r in rows if r.split == split] for split in ("train", "gallery")}
    assert len(people["train"]) <= PEOPLE
    assert people["train"][0] == 1
    assert set(people["gallery"]) == {-1, 0, 50}
    for row in rows:
        for camera, cell in zip(cameras, row.cells, strict=True):
            there = [
                r.path for r in records if (r.split, r.pid, r.camid) == (row.split, row.pid, camera)
            ]
            assert (cell[0] if cell else None) == (min(there) if there else None)
            if cell:
                shown = Image.open(BytesIO(b64decode(cell[1].partition(",")[2])))
                assert shown.size == (HEIGHT // 2, HEIGHT)


def test_a_path_that_is_listed_twice_is_read_once(root):
    copy(A, C)(root)
    facts = examine(root, [A, C, A])
    assert list(facts) == [A, C]
    assert facts[A] == facts[C]
    assert (facts[A].width, facts[A].height, facts[A].mode) == (16, 32, "RGB")
