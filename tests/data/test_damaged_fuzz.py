"""Whatever a file is called or a manifest holds: a clear error or a result, and nothing else."""

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capnet.data.layouts import LAYOUTS, DatasetError, scan
from capnet.records import ManifestError, Record, read_manifest, write_manifest
from tests.data.trees import FILES, TRAIN, plant

SOME = settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HEADER = b"path,pid,camid,split,label,digest\n"
PIECES = st.sampled_from(
    [
        "0002",
        "-1",
        "0000",
        "_c1",
        "_c",
        "s1",
        "_",
        "f0046182",
        "01",
        ".jpg",
        ".PNG",
        ".jpg.png",
        " ",
        "²",
    ]
)
names = st.one_of(
    st.lists(PIECES, min_size=1, max_size=8).map("".join),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).map(
        lambda text: f"{text}.jpg"
    ),
    st.binary(min_size=1, max_size=40).map(
        lambda raw: os.fsdecode(raw.replace(b"/", b"").replace(b"\0", b"") + b".jpg")
    ),
    *(
        st.from_regex(part.pattern, fullmatch=True)
        for name in LAYOUTS
        for part in LAYOUTS[name][0].parts
    ),
).filter(lambda name: len(os.fsencode(name)) < 250 and not {"/", "\0"} & set(name))
lines = st.one_of(
    st.text(max_size=60),
    st.from_regex(LAYOUTS["msmt17"][0].parts[0].pattern, fullmatch=True),
    st.sampled_from(
        [
            f"{FILES['msmt17'][1][6:]} 1",
            "a" * 300 + " 1",
            "\0 1",
            f"{FILES['msmt17'][1][6:]} {'9' * 5000}",
        ]
    ),
)


def outcome(call, refusal):
    """Return the call's result and "", or None and what the refusal says."""
    try:
        return call(), ""
    except refusal as error:
        return None, str(error)


@pytest.fixture(params=["market", "duke", "cuhk03_np"])
def tree(request, tmp_path):
    """Return a layout's name and the root of a good tree of it."""
    plant(tmp_path / "raw", request.param)
    return request.param, tmp_path / "raw"


@given(st.lists(names, max_size=3))
@SOME
def test_any_file_name_is_read_or_refused(tree, added):
    layout, root = tree
    files = [root / TRAIN / name for name in added]
    for file in files:
        file.touch()
    records, message = outcome(lambda: scan(layout, root), DatasetError)
    for file in files:
        file.unlink(missing_ok=True)
    assert records or str(root) in message
    for record in records or []:
        assert isinstance(record, Record)
        assert record.camid >= 0


@given(st.lists(lines, max_size=4))
@example(["a" * 300 + " 1"])
@example([f"{FILES['msmt17'][1][6:]} {'9' * 5000}"])
@SOME
def test_any_line_of_a_list_is_read_or_refused(tmp_path, text):
    root = tmp_path / "raw"
    if not root.exists():
        plant(root, "msmt17")
    (root / "list_val.txt").write_text("\n".join(text), encoding="utf-8", errors="replace")
    records, message = outcome(lambda: scan("msmt17", root), DatasetError)
    assert records or str(root) in message


@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=200).map(lambda rest: HEADER + rest),
        st.lists(st.text("abc019,\"'\r\n\0-é train", max_size=20), max_size=7).map(
            lambda cells: HEADER + ",".join(cells).encode()
        ),
    )
)
@example(b"\x80")
@SOME
def test_any_manifest_is_read_or_refused(tmp_path, content):
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    records, message = outcome(lambda: read_manifest(path), ManifestError)
    assert str(path) in message or all(isinstance(record, Record) for record in records)


def test_a_cell_that_is_too_long_is_refused(tmp_path):
    path = tmp_path / "manifest.csv"
    write_manifest(path, [Record("a" * 200_000, 1, 1, "train", 0, "")])
    with pytest.raises(ManifestError, match=r"manifest\.csv"):
        read_manifest(path)
