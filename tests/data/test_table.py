"""A user's own table: what it says, what it means, and every fault of it."""

import csv
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.data.layouts import DatasetError, scan, version
from capnet.data.table import read_table
from capnet.records import Record, with_labels
from tests.data.own_table import GOOD, HEADER, RECORDS, make_images


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


@pytest.fixture
def read(images, tmp_path):
    """Scan a table of these lines."""

    def read(*lines: str, header: str = HEADER, encoding: str = "utf-8") -> list[Record]:
        table = tmp_path / "mine.csv"
        table.write_text("\n".join([header, *lines]) + "\n", encoding=encoding)
        return scan("table", images, str(table))

    return read


@pytest.fixture
def faults(read):
    """Return the lines of the message that a table ends in."""

    def faults(*lines: str, **changes: str) -> list[str]:
        with pytest.raises(DatasetError) as error:
            read(*lines, **changes)
        first, *others = str(error.value).splitlines()
        assert first.endswith("mine.csv cannot be used; correct it:")
        return [other.strip() for other in others]

    return faults


def test_a_row_becomes_a_record(read, images):
    assert read(*GOOD) == RECORDS
    assert version("table", images) is None


def test_columns_come_in_any_order_with_others_beside_them(read):
    lines = [
        f'{split},"{path}",{i}, {camid} ,{pid}'
        for i, (path, pid, camid, split) in enumerate(line.split(",") for line in GOOD)
    ]
    assert read(*lines, header="split,path,note, camid,pid") == RECORDS


def test_a_path_is_written_in_one_way(read):
    assert read("./a//1.jpg,7,1,train", *GOOD[1:]) == RECORDS


def pids(records):
    return [record.pid for record in records]


def test_names_of_people_count_from_one_in_sorted_order(read):
    lines = ["a/1.jpg,Zoë,1,train", "a/2.jpg,anna,1,train", "b/3.jpg,007,1,query"]
    assert pids(read(*lines, "b/4.jpg,007,2,gallery")) == [2, 3, 1, 1]


def test_junk_and_distractors_stay_so_among_names(read):
    lines = ["a/1.jpg,anna,1,train", "b/3.jpg,bob,1,query"]
    assert pids(read(*lines, "a/2.jpg,-1,2,gallery", "b/4.jpg,0,2,gallery")) == [1, 2, -1, 0]


def test_numbers_stay_what_they_are(read):
    lines = ["a/1.jpg,0012,0,train", "a/2.jpg,3,1,train", "b/3.jpg,900000000000,1,query"]
    assert pids(read(*lines, "b/4.jpg,-1,2,gallery")) == [12, 3, 900000000000, -1]


NAMES = st.lists(st.text("aAé71- ", min_size=1, max_size=4).filter(str.strip), min_size=1)


@given(NAMES, st.randoms())
@settings(max_examples=50, deadline=None)
def test_the_order_of_a_table_decides_nothing(tmp_path_factory, names, chance: random.Random):
    root = tmp_path_factory.mktemp("images")
    rows = [(f"{i}.jpg", name, "1", "gallery") for i, name in enumerate(names)]
    rows += [("t.jpg", "Tom", "1", "train"), ("q.jpg", "Quin", "1", "query")]
    for path, *_ in rows:
        (root / path).touch()

    def read(rows):
        with (root / "mine.csv").open("w", newline="") as file:
            csv.writer(file).writerows([HEADER.split(","), *rows])
        return read_table(root / "mine.csv", root)

    records, faults = read(rows)
    chance.shuffle(rows)
    again, others = read(rows)
    assert with_labels(records) == with_labels(again)
    assert len(faults) == len(others)
    if not faults:  # one number for one name, and one name for one number
        number = {r.path: r.pid for r in records}
        assert len({(number[path], name.strip()) for path, name, *_ in rows}) == len(
            set(pids(records))
        )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (",9,1,gallery", "path '' is empty"),
        ("/a/1.jpg,9,1,gallery", "path '/a/1.jpg' is not below the root: write it with /"),
        ("../1.jpg,9,1,gallery", "path '../1.jpg' is not below the root"),
        ("a/../../1.jpg,9,1,gallery", "path 'a/../../1.jpg' is not below the root"),
        ("b\\4.jpg,9,1,gallery", r"path 'b\\4.jpg' is not below the root"),
        ("b/5.jpg,9,1,gallery", "path 'b/5.jpg' is no file below "),
        ("b,9,1,gallery", "path 'b' is no file below "),
        ("./a//1.jpg,9,1,gallery", "path 'a/1.jpg' stands in line 2 already"),
        ("b/4.jpg, ,1,gallery", "no pid; -1 marks junk, 0 a distractor"),
        ("b/4.jpg,-2,1,gallery", "pid -2 is below -1"),
        ("b/4.jpg,0,1,train", "pid 0 is junk or a distractor, for the gallery only; people count"),
        ("b/4.jpg,-1,1,query", "pid -1 is junk or a distractor, for the gallery only"),
        ("b/4.jpg,9,one,gallery", "camid 'one' is no whole number from 0; leave it empty"),
        ("b/4.jpg,9,-1,gallery", "camid '-1' is no whole number from 0"),
        ("b/4.jpg,9,1.5,gallery", "camid '1.5' is no whole number from 0"),
        ("b/4.jpg,9,1,test", "split 'test' is not one of train, query, gallery"),
        ("b/4.jpg,9,1,", "split '' is not one of train, query, gallery"),
        ("b/4.jpg,9,1", "3 cells where the header has 4"),
        ("b/4.jpg,9,1,gallery,", "5 cells where the header has 4"),
    ],
)
def test_a_fault_is_named_with_its_line(faults, line, fault):
    said, *others = faults(*GOOD[:3], line)
    assert said.startswith(f"line 5: {fault}")
    assert all(other == "no row has split gallery" for other in others)


def test_all_faults_come_in_one_message_the_first_ten_in_words(faults):
    said = faults(
        *GOOD, *(f"c/{i}.jpg,x,y,z" for i in range(5)), "d"
    )  # three faults a row, and one
    assert len(said) == 11
    assert said[-1] == "and 6 more"
    assert {fault.split(":")[0] for fault in said[:-1]} == {f"line {n}" for n in (6, 7, 8, 11)}


def test_a_row_over_two_lines_is_named_by_its_last(faults):
    assert faults('a/1.jpg,"x\ny",1,train', "b/4.jpg", *GOOD[1:])[0].startswith("line 4: 1 cells")


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("path,pid,split", "line 1: path, pid, split lack camid; needed: path,pid,camid,split"),
        ("path;pid;camid;split", "line 1: path;pid;camid;split lack path;"),
        ("path,pid,camid,split,pid", "line 1: path, pid, camid, split, pid twice have pid;"),
        ('path,"pid', "line 5 is not CSV"),
    ],
)
def test_a_header_of_another_kind_is_shown(faults, header, fault):
    assert faults(*GOOD, header=header)[0].startswith(fault)


def test_an_empty_split_is_named(faults):
    assert faults(*GOOD[:2]) == ["no row has split query", "no row has split gallery"]
