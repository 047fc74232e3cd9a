"""Images of people: one record each, and the manifest file that freezes them.

A manifest is a CSV with the columns of `Record`, sorted by split and path. The same files give the
same manifest byte for byte on any machine, so a change of one image is a change of the manifest.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from capnet.errors import UserError
from capnet.files import write_text

Split = Literal["train", "query", "gallery"]
JUNK = -1  # R27: neither right nor wrong
DISTRACTOR = 0  # A25: always wrong
UNKNOWN = -1  # a camera that nobody noted; equal to no other, not even to another unknown one


class ManifestError(UserError):
    """A manifest cannot be read; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Record:
    """One image: its path below the data set's root, who, by which camera, and for what.

    `label` is the 0-based class of a train image (its pid's place among the sorted train pids),
    -1 elsewhere. `digest` is the SHA-256 of the file. `camid` is UNKNOWN where nobody noted it.
    """

    path: str
    pid: int
    camid: int
    split: Split
    label: int
    digest: str


def with_labels(records: Iterable[Record]) -> list[Record]:
    """Sort records by split and path and give each train image its class."""
    ordered = sorted(records, key=lambda r: (get_args(Split).index(r.split), r.path))
    pids = sorted({r.pid for r in ordered if r.split == "train"})
    label = {pid: i for i, pid in enumerate(pids)}
    return [replace(r, label=label[r.pid] if r.split == "train" else -1) for r in ordered]


def write_manifest(path: Path, records: Sequence[Record]) -> None:
    """Write records as CSV, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Record))
    writer.writerows(astuple(record) for record in records)
    write_text(path, text.getvalue())


def read_manifest(path: Path) -> list[Record]:
    """Read what `write_manifest` wrote; ManifestError names the line that does not fit."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        raise ManifestError(f"{path}: not found; run `dvc repro prepare` first") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: not readable as CSV ({error}); run prepare again") from None
    names = [field.name for field in fields(Record)]
    if not rows or rows[0] != names:
        raise ManifestError(f"{path}: line 1 must be {','.join(names)}; run prepare again")
    return [_record(row, f"{path}: line {number}") for number, row in enumerate(rows[1:], 2)]


def of_split(records: Iterable[Record], split: Split) -> list[Record]:
    """Return the records of one split, in manifest order."""
    return [record for record in records if record.split == split]


def _record(row: list[str], where: str) -> Record:
    try:
        path, pid, camid, split, label, digest = row
        if split not in get_args(Split):
            raise ValueError(f"split {split!r} is not one of {', '.join(get_args(Split))}")
        return Record(path, int(pid), int(camid), split, int(label), digest)  # type: ignore[arg-type]
    except ValueError as error:
        raise ManifestError(f"{where}: {error}; run prepare again") from None
