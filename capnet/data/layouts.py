"""How the benchmarks name their files (R27): who, by which camera, and for what.

A layout is rows of data, one per list of images. Files are matched by name only, in sorted order,
so the order of a folder decides nothing. What is not an image (Thumbs.db, ._ copies) is skipped.
Layout `table` is no naming of files: there the user's own table says it all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from capnet.data.table import read_table
from capnet.errors import UserError
from capnet.records import Record, Split

IMAGES = {".jpg", ".jpeg", ".png"}
SHOWN = 10  # offending files that a message lists


class DatasetError(UserError):
    """A data set cannot be used; the message names the folder or files and the remedy."""


@dataclass(frozen=True, slots=True)
class Part:
    """The images of one split in one folder.

    `pattern` matches a file's name, or a line `path pid` of `file_list`, and gives `pid` and
    `camid`. `offset` is added to the pid.
    """

    split: Split
    folder: str
    pattern: str
    file_list: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a benchmark keeps its splits; `example` is a file's name, for messages."""

    parts: tuple[Part, ...]
    example: str
    version: str | None = None

    def folders(self) -> list[str]:
        """Return the folders of the parts, each once."""
        return list(dict.fromkeys(part.folder for part in self.parts))

    def tree(self) -> str:
        """Draw what must lie below the data set's root."""
        lists = [part.file_list for part in self.parts if part.file_list]
        lines = [f"{folder + '/':22}{self.example}, ..." for folder in self.folders()] + lists
        return "\n".join(f"  |-- {line}" for line in lines)


_PERSON = r"(?P<pid>0*[1-9]\d*)"  # 0 and -1 mean distractor and junk, which only Market has


def _folders(gallery: str, person: str, example: str) -> tuple[Layout, ...]:
    """Return a layout of Market-1501's three folders, from the names of its files."""
    parts = (
        Part("train", "bounding_box_train", person),
        Part("query", "query", person),
        Part("gallery", "bounding_box_test", gallery),
    )
    return (Layout(parts, example),)


def _msmt17(version: str, train: str, test: str) -> Layout:
    """Return MSMT17's layout; A24: it trains on the train and the val list.

    Both of its numberings start at 0 and name different people. Records hold 10000 + id for the
    train lists and 20000 + id for the test lists, so 0 stays free and no number means two people.
    """
    line = r"\d+/\d+_\d+_(?P<camid>\d+)_[^/]+ (?P<pid>\d{1,9})"
    parts = (
        Part("train", train, line, "list_train.txt", 10_000),
        Part("train", train, line, "list_val.txt", 10_000),
        Part("query", test, line, "list_query.txt", 20_000),
        Part("gallery", test, line, "list_gallery.txt", 20_000),
    )
    return Layout(parts, "0000/0000_000_01_0303morning_0015_0.jpg", version)


_MARKET = r"_c(?P<camid>\d+)s\d+_.+"
_DUKE = rf"{_PERSON}_c(?P<camid>\d+)_f.+"
_CUHK03 = rf"{_PERSON}_c(?P<camid>\d+)_\d+\.\w+"
LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "market": _folders(r"(?P<pid>-1|\d+)" + _MARKET, _PERSON + _MARKET, "0002_c1s1_000451_03.jpg"),
    "duke": _folders(_DUKE, _DUKE, "0001_c2_f0046182.jpg"),
    "cuhk03_np": _folders(_CUHK03, _CUHK03, "0001_c1_1.png"),
    "msmt17": (_msmt17("V1", "train", "test"), _msmt17("V2", "mask_train_v2", "mask_test_v2")),
}


def scan(layout: str, root: Path, table: str | None = None) -> list[Record]:
    """List the images of a data set by their names, without opening them (R27, A24, A25).

    `layout` is a key of LAYOUTS; `root`, or one folder directly in it, holds the layout's folders.
    Or it is "table", and the file `table` lists the images below `root` (`capnet.data.table`).
    Returns one record per image in the order of the parts, then of the paths (or of the table),
    with `path` relative to `root`, camera numbers as in the names, and `label` and `digest` still
    unset (-1, ""). Raises DatasetError where folders, lists or files are missing, empty or named
    otherwise, and where a table has faults.
    """
    if table is not None:
        return _tabled(table, root)
    release, base = _find(layout, root)
    records, faults = list[Record](), list[str]()
    for part in release.parts:
        try:
            records += _scan_part(part, release, base, root)
        except (DatasetError, OSError) as error:
            faults.append(str(error))
    if faults:
        raise DatasetError("\n".join(faults))
    return records


def version(layout: str, root: Path) -> str | None:
    """Return which release of MSMT17 lies below `root` ("V1" or "V2", A24); None elsewhere."""
    return None if layout == "table" else _find(layout, root)[0].version


def shown(names: list[str]) -> str:
    """Join the first names for a message, and say how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _tabled(table: str, root: Path) -> list[Record]:
    records, faults = read_table(Path(table), root)
    if faults:
        more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        lines = "".join(f"\n  {line}" for line in faults[:SHOWN] + more)
        raise DatasetError(f"{table} cannot be used; correct it:{lines}")
    return records


def _scan_part(part: Part, release: Layout, base: Path, root: Path) -> list[Record]:
    records, strange = [], []
    for text, name in _listed(base, part) if part.file_list else _present(base, part):
        match = re.fullmatch(part.pattern, text)
        if match is None:
            strange.append(text)
            continue
        path = (base / part.folder / name).relative_to(root).as_posix()
        pid = int(match["pid"]) + part.offset
        records.append(Record(path, pid, int(match["camid"]), part.split, -1, ""))
    where = base / (part.file_list or part.folder)
    if strange:
        raise DatasetError(
            f"{where}: {len(strange)} names are not like {release.example}: {shown(strange)}; "
            "move them elsewhere or correct `layout`"
        )
    if not records:
        raise DatasetError(f"{where}: no images; copy the data set again, whole")
    return records


def _find(layout: str, root: Path) -> tuple[Layout, Path]:
    """Return the layout's release that lies in `root` or in one folder of it, and where."""
    if not root.is_dir():
        raise _missing(LAYOUTS[layout], root, "is not a folder")
    inside = sorted(path for path in root.iterdir() if path.is_dir())
    for bases in ([root], inside):
        found = [
            (release, base)
            for release in LAYOUTS[layout]
            for base in bases
            if any((base / folder).is_dir() for folder in release.folders())
        ]
        if len(found) == 1:
            return _whole(*found[0])
        if found:
            places = ", ".join(f"{base} {release.version or ''}".strip() for release, base in found)
            raise DatasetError(f"{root}: holds more than one data set: {places}; name one as root")
    raise _missing(LAYOUTS[layout], root, f"holds no data set of layout {layout}")


def _whole(release: Layout, base: Path) -> tuple[Layout, Path]:
    absent = [folder for folder in release.folders() if not (base / folder).is_dir()]
    absent += [part.file_list for part in release.parts if not (base / part.file_list).exists()]
    if absent:
        raise _missing((release,), base, f"lacks {', '.join(absent)}")
    return release, base


def _missing(releases: tuple[Layout, ...], root: Path, fault: str) -> DatasetError:
    trees = "\nor\n".join(f"  {root}/\n{release.tree()}" for release in releases)
    return DatasetError(
        f"{root} {fault}; obtain the data set from its authors and copy or link it there. "
        f"Expected:\n{trees}"
    )


def _present(base: Path, part: Part) -> Iterator[tuple[str, str]]:
    """Yield the image names of a part's folder, twice: as what the pattern matches, as the path."""
    for path in sorted((base / part.folder).iterdir()):
        if path.suffix.lower() in IMAGES and not path.name.startswith("."):
            yield path.name, path.name


def _listed(base: Path, part: Part) -> Iterator[tuple[str, str]]:
    """Yield each line of a part's list and the path in it; every listed file must be there."""
    text = (base / part.file_list).read_text(encoding="utf-8", errors="replace")
    lines = sorted(line.strip() for line in text.splitlines() if line.strip())
    names = [line.rpartition(" ")[0] for line in lines]
    absent = [name for name in names if not (base / part.folder / name).exists()]
    if absent:
        raise DatasetError(
            f"{base / part.folder}: {len(absent)} of {len(names)} files of {part.file_list} are "
            f"missing: {shown(absent)}; copy the data set again, whole"
        )
    yield from zip(lines, names, strict=True)
