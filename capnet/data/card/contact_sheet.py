"""A few people of each split as each camera saw them, so that an eye can check the labels."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_args

from PIL import Image

from capnet.records import DISTRACTOR, JUNK, Record, Split, of_split

T = TypeVar("T")
PEOPLE, CAMERAS = 6, 8  # at most, in a split
HEIGHT = 128  # pixels of a picture


@dataclass(frozen=True, slots=True)
class Row:
    """One person in one split: a path and its picture as a data address for each camera.

    None where the camera has no image of the person.
    """

    split: Split
    pid: int
    cells: list[tuple[str, str] | None]


def contact_sheet(root: Path, records: Sequence[Record]) -> tuple[list[int], list[Row]]:
    """Return the cameras (columns) and rows of people, both evenly chosen from all.

    A cell shows the first of the person's images by that camera, in order of the paths. Junk and
    distractors have a row each.
    """
    cameras = _evenly(sorted({record.camid for record in records}), CAMERAS)
    rows = []
    for split in get_args(Split):
        inside = of_split(records, split)
        pids = sorted({record.pid for record in inside})
        nobody = [pid for pid in (JUNK, DISTRACTOR) if pid in pids]
        for pid in [*_evenly([pid for pid in pids if pid > 0], PEOPLE), *nobody]:
            seen = {r.camid: r.path for r in reversed(inside) if r.pid == pid}
            cells = [_cell(root, seen[c]) if c in seen else None for c in cameras]
            rows.append(Row(split, pid, cells))
    return cameras, rows


def _evenly(items: Sequence[T], number: int) -> list[T]:
    """Return at most `number` of the items, the first among them, in equal steps."""
    return list(items[:: max(1, -(-len(items) // number))])


def _cell(root: Path, path: str) -> tuple[str, str]:
    with Image.open(root / path) as image:
        # By way of RGBA: Pillow warns of a palette's transparency without it.
        picture = image.convert("RGBA").convert("RGB")
    width = max(1, min(2 * HEIGHT, round(picture.width * HEIGHT / picture.height)))
    file = io.BytesIO()
    picture.resize((width, HEIGHT)).save(file, format="jpeg", quality=80)
    return path, f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
