"""Whether people and splits make sense: who is trained on, who is searched, who can be found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import get_args

from capnet.data.checks.findings import Finding
from capnet.data.layouts import shown
from capnet.records import UNKNOWN, Record, Split, of_split


def check_people(records: Sequence[Record]) -> list[Finding]:
    """Return what the ids, cameras and splits of all records together get wrong."""
    checks = (_empty, _nobody, _one_person, _shared_people, _unmatched, _listed_twice)
    return [finding for check in checks for finding in check(records)]


def _empty(records: Sequence[Record]) -> Iterator[Finding]:
    present = {record.split for record in records}
    for split in get_args(Split):
        if split not in present:
            yield Finding("empty_split", f"{split} has no images", "copy the data set again, whole")


def _nobody(records: Sequence[Record]) -> Iterator[Finding]:
    for split in ("train", "query"):
        names = [record.path for record in records if record.split == split and record.pid < 1]
        if names:
            yield Finding(
                "nobody",
                f"{len(names)} {split} images show nobody (pid 0 or less): {shown(names)}",
                "only the gallery may hold junk and distractors",
            )


def _one_person(records: Sequence[Record]) -> Iterator[Finding]:
    if len({record.pid for record in of_split(records, "train")}) == 1:
        yield Finding(
            "nothing_to_train",
            "the train images show one person",
            "a triplet needs two or more (R16)",
        )


def _shared_people(records: Sequence[Record]) -> Iterator[Finding]:
    people = {s: {r.pid for r in of_split(records, s) if r.pid > 0} for s in get_args(Split)}
    if both := sorted(people["train"] & (people["query"] | people["gallery"])):
        yield Finding(
            "shared_people",
            f"{len(both)} people are in the train and the test images: "
            f"{shown([str(pid) for pid in both])}",
            "a test on people seen in training says nothing, so move them to one side",
        )


def _unmatched(records: Sequence[Record]) -> Iterator[Finding]:
    """A query counts if its person was seen by another camera (A25); an unknown one is another."""
    cameras = defaultdict(set)
    for record in of_split(records, "gallery"):
        cameras[record.pid].add(record.camid)
    queries = of_split(records, "query")
    alone = [
        query.path for query in queries if not cameras[query.pid] - ({query.camid} - {UNKNOWN})
    ]
    if queries and len(alone) == len(queries):
        yield Finding(
            "nothing_to_score",
            "no query has an image of its person by another camera in the gallery (A25)",
            "correct the split or the camera numbers",
        )
    elif alone:
        yield Finding(
            "unmatched_queries",
            f"{len(alone)} of {len(queries)} queries have no image of their person by another "
            f"camera in the gallery (A25) and do not count: {shown(alone)}",
            "add one or remove them",
        )


def _listed_twice(records: Sequence[Record]) -> Iterator[Finding]:
    if twice := [path for path, n in Counter(r.path for r in records).items() if n > 1]:
        yield Finding(
            "listed_twice",
            f"{len(twice)} images are listed twice: {shown(twice)}",
            "correct the lists",
        )
