"""A data set of the user's own, as a table of its images: CSV or Parquet (R27).

Columns: `path` (below the data set's root, with /), `pid`, `camid` (empty where nobody noted the
camera) and `split` (train, query or gallery), in any order; further columns are ignored.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import get_args

from capnet.records import DISTRACTOR, JUNK, UNKNOWN, Record, Split

COLUMNS = ("path", "pid", "camid", "split")
Line = tuple[str, list[str]]  # where it stands, for messages, and its cells
Rows = dict[str, dict[str, str]]  # the cells by column, by where they stand


def read_table(table: Path, root: Path) -> tuple[list[Record], list[str]]:
    """Return a table's records in its order, and all its faults in words; the file is not changed.

    Whole numbers stay what they are: -1 is junk and 0 a distractor, both for the gallery only. If
    any other pid is no number, all others are names and count from 1 in sorted order; the table
    itself says which name has which number. `label` and `digest` are unset (-1, ""). The records
    mean nothing where there are faults. `table` ends in .csv (UTF-8) or .parquet.
    """
    try:
        header, *lines = _lines(table)
    except (OSError, ValueError) as error:
        return [], [str(getattr(error, "strerror", None) or error)]
    where, names = header
    columns = [name.strip() for name in names]
    if faults := list(_faults_of_header(where, columns, root)):
        return [], faults
    rows = {
        where: {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        for where, cells in lines
        if len(cells) == len(columns)
    }
    faults = [
        f"{where}: {len(cells)} cells where the header has {len(columns)}"
        for where, cells in lines
        if where not in rows
    ]
    faults += [f"{at}: {fault}" for at, row in rows.items() for fault in _faults_of_row(row, root)]
    faults += _repeated(rows)
    present = {row["split"] for row in rows.values()}
    faults += [f"no row has split {split}" for split in get_args(Split) if split not in present]
    return ([], faults) if faults else (_records(rows), [])


def _lines(table: Path) -> list[Line]:
    """Return the header and the rows; ValueError or OSError where the file cannot be read."""
    readers = {".csv": _csv, ".parquet": _parquet}
    if table.suffix.lower() not in readers:
        raise ValueError("must be a .csv or a .parquet file")
    if not table.is_file():
        raise ValueError("is no file")
    lines = readers[table.suffix.lower()](table)
    if not lines:
        raise ValueError(f"is empty; its first line must be {','.join(COLUMNS)}")
    return lines


def _csv(table: Path) -> list[Line]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            return [(f"line {reader.line_num}", cells) for cells in reader if cells]
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 ({error}); save it as such") from None
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is not CSV ({error})") from None


def _parquet(table: Path) -> list[Line]:
    import pandas as pd  # slow to import, and nothing else here needs it

    try:
        frame = pd.read_parquet(table)
    except ImportError:
        raise ValueError(
            "Parquet needs pyarrow, which is not installed; `pip install pyarrow`, or save as CSV"
        ) from None
    except Exception as error:  # each engine raises kinds of its own
        raise ValueError(f"is not readable as Parquet ({error})") from None
    frame = frame.loc[:, frame.columns.isin(COLUMNS)]
    cells = frame.astype(object).where(frame.notna(), "")
    rows = enumerate(cells.itertuples(index=False, name=None), 1)
    header: Line = ("the columns", [str(name) for name in frame.columns])
    return [header, *((f"row {number}", [str(cell) for cell in row]) for number, row in rows)]


def _faults_of_header(where: str, columns: list[str], root: Path) -> Iterator[str]:
    if not root.is_dir():
        yield f"{root}, below which its paths are, is not a folder"
    for name in COLUMNS:
        if columns.count(name) != 1:
            fault = "lack" if name not in columns else "twice have"
            yield f"{where}: {', '.join(columns)} {fault} {name}; needed: {','.join(COLUMNS)}"


def _faults_of_row(row: dict[str, str], root: Path) -> Iterator[str]:
    path, pid, camid, split = (row[name] for name in COLUMNS)
    if fault := _fault_of_path(path, root):
        yield f"path {path!r} {fault}"
    if not pid:
        yield f"no pid; {JUNK} marks junk, {DISTRACTOR} a distractor"
    elif (number := _integer(pid)) is not None and number <= DISTRACTOR:
        if number < JUNK:
            yield f"pid {pid} is below {JUNK}"
        elif split != "gallery":
            yield f"pid {pid} is junk or a distractor, for the gallery only; people count from 1"
    if camid and ((number := _integer(camid)) is None or number < 0):
        yield f"camid {camid!r} is no whole number from 0; leave it empty where nobody noted it"
    if split not in get_args(Split):
        yield f"split {split!r} is not one of {', '.join(get_args(Split))}"


def _fault_of_path(path: str, root: Path) -> str:
    """Return why a path cannot be used, "" if it can."""
    if not path:
        return "is empty"
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path:
        return "is not below the root: write it with /, without .. and without a leading /"
    return "" if (root / parts).is_file() else f"is no file below {root}"


def _repeated(rows: Rows) -> Iterator[str]:
    first: dict[str, str] = {}
    for where, row in rows.items():
        path = _normal(row["path"])
        if path in first:
            yield f"{where}: path {path!r} stands in {first[path]} already"
        elif row["path"]:
            first[path] = where


def _records(rows: Rows) -> list[Record]:
    numbers = _numbers({row["pid"] for row in rows.values()})
    records = []
    for row in rows.values():
        camera = _integer(row["camid"])
        camid = UNKNOWN if camera is None else camera
        split: Split = row["split"]  # type: ignore[assignment]
        records.append(Record(_normal(row["path"]), numbers[row["pid"]], camid, split, -1, ""))
    return records


def _normal(path: str) -> str:
    """Write a path in one way: a//b and ./a/b are a/b."""
    return PurePosixPath(path).as_posix()


def _numbers(pids: set[str]) -> dict[str, int]:
    """Number people: as they are where all are whole numbers, otherwise by the order of names."""
    whole = {pid: number for pid in pids if (number := _integer(pid)) is not None}
    if len(whole) == len(pids):
        return whole
    absent = {pid: number for pid, number in whole.items() if number in (JUNK, DISTRACTOR)}
    names = sorted(pids - set(absent))
    return absent | {name: number for number, name in enumerate(names, 1)}


def _integer(text: str) -> int | None:
    """Read a whole number; 7.0 is one, as tables with empty cells write it."""
    match = re.fullmatch(r"(-?[0-9]{1,15})(\.0+)?", text)
    return int(match[1]) if match else None
