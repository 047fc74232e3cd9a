"""How many images, people and cameras each benchmark has, by its authors (R27).

The gallery counts what lies in its folder: Market's junk (3819) and distractors (2798), and the
408 distracting people of DukeMTMC-reID, who have numbers of their own there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from capnet.data.checks.findings import Finding
from capnet.records import DISTRACTOR, JUNK, UNKNOWN, Record, Split, of_split
from capnet.settings import Benchmark

Counts = dict[str, int]


@dataclass(frozen=True, slots=True)
class Published:
    """The counts of each split, and who says so."""

    source: str
    splits: dict[Split, Counts]


def _published(
    source: str,
    train: tuple[int, int],
    query: tuple[int, int],
    gallery: tuple[int, int],
    cameras: int,
    junk: int = 0,
    distractors: int = 0,
) -> Published:
    """Return a row of the table; `train`, `query` and `gallery` are (images, people)."""
    splits: dict[Split, Counts] = {}
    for split, (images, ids) in zip(get_args(Split), (train, query, gallery), strict=True):
        inside = split == "gallery"
        splits[split] = {
            "images": images,
            "ids": ids,
            "cameras": cameras,
            "junk": inside * junk,
            "distractors": inside * distractors,
        }
    return Published(source, splits)


_ZHONG = "Zhong et al., CVPR 2017, new protocol"
PUBLISHED: dict[Benchmark, Published] = {
    "market1501": _published(
        "Zheng et al., ICCV 2015",
        *((12936, 751), (3368, 750), (19732, 750)),
        cameras=6,
        junk=3819,
        distractors=2798,
    ),
    "dukemtmc": _published(
        "Zheng et al., ICCV 2017", (16522, 702), (2228, 702), (17661, 702 + 408), cameras=8
    ),
    "msmt17": _published(  # both releases
        "Wei et al., CVPR 2018", (32621, 1041), (11659, 3060), (82161, 3060), cameras=15
    ),
    "cuhk03_np_detected": _published(_ZHONG, (7365, 767), (1400, 700), (5332, 700), cameras=2),
    "cuhk03_np_labeled": _published(_ZHONG, (7368, 767), (1400, 700), (5328, 700), cameras=2),
}


def count(records: Sequence[Record]) -> Counts:
    """Count images (junk and distractors among them), people and known cameras."""
    pids = [record.pid for record in records]
    return {
        "images": len(records),
        "ids": len(set(pids) - {JUNK, DISTRACTOR}),
        "cameras": len({record.camid for record in records} - {UNKNOWN}),
        "junk": pids.count(JUNK),
        "distractors": pids.count(DISTRACTOR),
    }


def count_splits(records: Sequence[Record]) -> dict[Split, Counts]:
    """Count each split; one without images has zeros."""
    return {split: count(of_split(records, split)) for split in get_args(Split)}


def disagreements(benchmark: Benchmark, splits: Mapping[Split, Counts]) -> Iterator[Finding]:
    """Yield a finding for each split whose `count_splits` are not the published ones (R27)."""
    published = PUBLISHED[benchmark]
    for split, expected in published.splits.items():
        counts = splits[split]
        wrong = [
            f"{counts[what]} {what}, not {n}" for what, n in expected.items() if counts[what] != n
        ]
        if wrong:
            yield Finding(
                "counts",
                f"{split}: {', '.join(wrong)} ({benchmark} in {published.source})",
                "copy the data set again, whole, or correct `benchmark`",
            )
