"""The data card in numbers: what a data set holds, as small JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import median_low
from typing import Any, get_args

from capnet.data.checks.examine import Facts
from capnet.data.checks.published import count_splits
from capnet.records import Record, Split, of_split
from capnet.settings import Dataset

Histogram = dict[str, int]


def card(
    name: str,
    settings: Dataset,
    release: str | None,
    records: Sequence[Record],
    facts: Mapping[str, Facts],
) -> dict[str, Any]:
    """Return what lies on the disk, per split, in numbers alone.

    `images_per_id` says how many people have so many images (junk and distractors are nobody),
    `images_per_camera` how many images a camera took, `sizes` the pixels of usable images.
    """
    return {
        "dataset": name,
        "layout": settings.layout,
        "version": release,
        "root": settings.root,
        "drawn": settings.generate is not None,
        "benchmark": settings.benchmark,
        "splits": count_splits(records),
        "images_per_id": _by_split(records, _images_per_id),
        "images_per_camera": _by_split(records, _images_per_camera),
        "sizes": {
            "width": _range([f.width for f in facts.values()]),
            "height": _range([f.height for f in facts.values()]),
            "distinct": len({(f.width, f.height) for f in facts.values()}),
        },
    }


def _by_split(
    records: Sequence[Record], count: Callable[[Sequence[Record]], Histogram]
) -> dict[Split, Histogram]:
    return {split: count(of_split(records, split)) for split in get_args(Split)}


def _images_per_id(records: Sequence[Record]) -> Histogram:
    images = Counter(record.pid for record in records if record.pid > 0)
    return _sorted(Counter(images.values()))


def _images_per_camera(records: Sequence[Record]) -> Histogram:
    return _sorted(Counter(record.camid for record in records))


def _sorted(counts: Counter[int]) -> Histogram:
    return {str(key): counts[key] for key in sorted(counts)}


def _range(pixels: Sequence[int]) -> dict[str, int]:
    return {"min": min(pixels), "median": median_low(pixels), "max": max(pixels)}
