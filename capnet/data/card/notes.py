"""What is worth knowing about a data set and stops nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from capnet.data.checks.examine import Facts
from capnet.records import UNKNOWN, Record, of_split

SLENDER = 5  # times as high as wide
MEANING = {  # what becomes of them
    "grey": "grey images: the one channel is repeated",
    "palette": "images with a palette: their colours are looked up",
    "other_colours": "images in CMYK, YCbCr or the like: they are converted to RGB",
    "transparent": "images with transparency: it is dropped",
    "lying": "images wider than high: they are squeezed into the input's upright shape",
    "slender": f"images more than {SLENDER} times as high as wide: they are widened",
    "one_camera": "people seen by one camera in training: they teach nothing across cameras",
    "unused": "other files in the images' folders: no split uses them",
    "unknown_camera": "images of an unknown camera: views by their own camera are not left out",
}
COLOURS = {"1": "grey", "L": "grey", "LA": "grey", "P": "palette", "PA": "palette"}
PLAIN = {"RGB", "RGBA", "RGBX", *COLOURS}


def notes(
    root: Path, records: Sequence[Record], facts: Mapping[str, Facts]
) -> dict[str, list[str]]:
    """Return the paths, or pids of `one_camera`, by key of MEANING; what does not occur is absent.

    `facts` is what `examine` says of the records' paths below `root`.
    """
    found = {
        **{name: list[str]() for name in MEANING},
        **_kinds(facts),
        "one_camera": _one_camera(records),
        "unused": _unused(root, {record.path for record in records}),
        "unknown_camera": [r.path for r in records if r.camid == UNKNOWN],
    }
    return {name: names for name, names in found.items() if names}


def _kinds(facts: Mapping[str, Facts]) -> dict[str, list[str]]:
    kinds = defaultdict(list)
    for path, f in facts.items():
        if f.mode in COLOURS:
            kinds[COLOURS[f.mode]].append(path)
        elif f.mode not in PLAIN:
            kinds["other_colours"].append(path)
        if f.transparent:
            kinds["transparent"].append(path)
        if f.width > f.height:
            kinds["lying"].append(path)
        elif f.height > SLENDER * f.width:
            kinds["slender"].append(path)
    return kinds


def _one_camera(records: Sequence[Record]) -> list[str]:
    cameras = defaultdict(set)
    for record in of_split(records, "train"):
        cameras[record.pid].add(record.camid)
    return [str(pid) for pid in sorted(cameras) if len(cameras[pid] - {UNKNOWN}) == 1]


def _unused(root: Path, used: set[str]) -> list[str]:
    """What a wrong ending or a list leaves out would else be missed in silence."""
    folders = sorted({PurePosixPath(path).parent for path in used})
    beside = [path for folder in folders for path in sorted((root / folder).iterdir())]
    names = [path.relative_to(root).as_posix() for path in beside if not path.is_dir()]
    return [name for name in names if name not in used]
