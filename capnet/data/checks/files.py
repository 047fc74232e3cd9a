"""Whether the files of a data set can be used, and whether each of them is there once."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

from capnet.data.checks.examine import Facts
from capnet.data.checks.findings import Finding
from capnet.data.layouts import shown
from capnet.records import Record

TINY = 8  # pixels: on a shorter side no person can be made out
ALIKE = 3  # copies of one image that a message names
UNUSABLE = {
    "unreadable": ("cannot be read", "copy these files again"),
    "bombs": ("exceed Pillow's limit and were not decoded", "store them smaller or remove them"),
    "deep": ("would lose what is beyond 8 bits a channel", "convert them to 8 bits"),
}


def check_files(records: Sequence[Record], facts: Mapping[str, Facts]) -> list[Finding]:
    """Return what is wrong with the files; `facts` is what `examine` says of the records' paths."""
    return [*_names(facts), *_unusable(facts), *_odd(facts), *_copies(records, facts)]


def _names(facts: Mapping[str, Facts]) -> Iterator[Finding]:
    """A manifest is UTF-8 with one line per image."""
    if strange := [ascii(path) for path in facts if any(map(_breaks_a_line, path))]:
        yield Finding(
            "names",
            f"{len(strange)} names hold control characters or are not UTF-8: {shown(strange)}",
            "rename these files",
        )
    if alike := _groups(facts, str.casefold):
        yield Finding(
            "case",
            f"{len(alike)} names differ from others by capital letters alone: {_show(alike)}",
            "on many file systems they are one file, so rename or remove one of each",
        )


def _unusable(facts: Mapping[str, Facts]) -> Iterator[Finding]:
    for fault, (what, remedy) in UNUSABLE.items():
        if bad := [f"{path} ({f.reason})" for path, f in facts.items() if f.fault == fault]:
            yield Finding(fault, f"{len(bad)} of {len(facts)} images {what}: {shown(bad)}", remedy)


def _odd(facts: Mapping[str, Facts]) -> Iterator[Finding]:
    if outside := [path for path, f in facts.items() if f.outside]:
        yield Finding(
            "links",
            f"{len(outside)} images lie outside the root, behind links: {shown(outside)}",
            "copy them, or make the root itself the link",
        )
    if rotated := [path for path, f in facts.items() if f.rotated]:
        yield Finding(
            "rotated",
            f"{len(rotated)} images are stored turned or mirrored and say so in EXIF, which "
            f"training does not apply: {shown(rotated)}",
            "store them upright",
        )
    tiny = [
        f"{path} ({f.width}x{f.height})"
        for path, f in facts.items()
        if f.digest and min(f.width, f.height) < TINY
    ]
    if tiny:
        yield Finding(
            "tiny",
            f"{len(tiny)} images have a side under {TINY} pixels: {shown(tiny)}",
            "correct the crops or remove them",
        )


def _copies(records: Sequence[Record], facts: Mapping[str, Facts]) -> Iterator[Finding]:
    """The same content under several names: between splits, or within one."""
    splits = {record.path: record.split for record in records}
    readable = [path for path, f in facts.items() if f.digest]
    same = _groups(readable, lambda path: facts[path].digest)
    shared: list[list[str]] = []
    repeated: list[list[str]] = []
    for group in same:
        (shared if len({splits[path] for path in group}) > 1 else repeated).append(group)
    if shared:
        yield Finding(
            "shared_images",
            f"{len(shared)} images are in two splits: {_show(shared)}",
            "keep each in one of them",
        )
    if repeated:
        yield Finding(
            "repeated_images",
            f"{len(repeated)} images are in one split more than once: {_show(repeated)}",
            "keep one of each",
        )


def _breaks_a_line(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs")  # control, or half of a UTF-16 pair


def _groups(paths: Iterable[str], key: Callable[[str], Hashable]) -> list[list[str]]:
    """Return the paths that share a key, where several do."""
    groups = defaultdict(list)
    for path in paths:
        groups[key(path)].append(path)
    return [group for group in groups.values() if len(group) > 1]


def _show(groups: Iterable[list[str]]) -> str:
    return shown([_alike(group) for group in groups])


def _alike(group: list[str]) -> str:
    more = [f"{len(group) - ALIKE} more"] if len(group) > ALIKE else []
    return " = ".join(group[:ALIKE] + more)
