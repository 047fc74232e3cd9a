"""A user's own table as a file: how it may be saved, and what is refused whole."""

import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from capnet.data.layouts import DatasetError, scan
from capnet.settings import Dataset
from tests.data.own_table import GOOD, HEADER, RECORDS, make_images


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_how_the_file_was_saved_is_all_one(images, tmp_path, encoding, ending):
    table = tmp_path / "mine.csv"
    text = ending.join([HEADER, *GOOD[:2], "", *GOOD[2:]])  # with an empty line, no last line end
    table.write_text(text, encoding=encoding, newline="")
    assert scan("table", images, str(table)) == RECORDS


def test_parquet_says_the_same(images, tmp_path):
    frame = pd.DataFrame(
        {
            "path": [record.path for record in RECORDS],
            "embedding": [[0.5, 0.25]] * 4,
            "pid": [7, 8, 9, 9],
            "camid": [1, 2, 1, None],  # pandas makes floats of it
            "split": pd.Categorical([record.split for record in RECORDS]),
        }
    )
    frame.to_parquet(tmp_path / "mine.parquet")
    assert scan("table", images, str(tmp_path / "mine.parquet")) == RECORDS
    frame.to_csv(tmp_path / "mine.csv", index=False)  # 1.0, 2.0, 1.0 and nothing
    assert scan("table", images, str(tmp_path / "mine.csv")) == RECORDS


def test_parquet_names_the_row(images, tmp_path):
    frame = pd.DataFrame([line.split(",") for line in GOOD], columns=HEADER.split(","))
    frame.loc[1, "pid"] = None
    frame.to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(DatasetError, match="row 2: no pid"):
        scan("table", images, str(tmp_path / "mine.parquet"))


def test_parquet_without_its_reader_says_what_to_install(images, tmp_path, monkeypatch):
    (tmp_path / "mine.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DatasetError, match="pyarrow, which is not installed; `pip install pyarrow"):
        scan("table", images, str(tmp_path / "mine.parquet"))


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("mine.csv", b"", r"is empty; its first line must be path,pid,camid,split"),
        ("mine.csv", HEADER.encode("utf-16"), "is not UTF-8 .*; save it as such"),
        ("mine.parquet", b"PAR1 and no more", "is not readable as Parquet"),
        ("mine.xlsx", b"", r"must be a \.csv or a \.parquet file"),
        ("other.csv", None, "is no file"),
        ("other.parquet", None, "is no file"),
    ],
)
def test_a_file_of_another_kind_is_refused(images, tmp_path, name, content, fault):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=f"(?s){name} cannot be used; correct it:.*{fault}"):
        scan("table", images, str(tmp_path / name))


def test_a_root_that_is_no_folder_is_named_once(images, tmp_path):
    (tmp_path / "mine.csv").write_text("\n".join([HEADER, *GOOD]))
    with pytest.raises(DatasetError, match=r"nowhere, below which its paths are, is not a folder$"):
        scan("table", tmp_path / "nowhere", str(tmp_path / "mine.csv"))


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_table_or_a_message(tmp_path_factory, content):
    root = tmp_path_factory.mktemp("bytes")
    (root / "mine.csv").write_bytes(HEADER.encode() + b"\n" + content)
    with pytest.raises(DatasetError):  # none of its images exists
        scan("table", root, str(root / "mine.csv"))


@pytest.mark.parametrize("keys", [{"layout": "table"}, {"layout": "duke", "table": "mine.csv"}])
def test_a_table_and_its_layout_go_together(keys):
    with pytest.raises(ValidationError, match="go together; give both or neither"):
        Dataset.model_validate({"root": "images", **keys})
    given = Dataset.model_validate({"root": "images", "layout": "table", "table": "mine.csv"})
    assert given.table == "mine.csv"
