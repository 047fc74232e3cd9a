"""Read or draw one data set, check it, and freeze it as a manifest and a data card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from capnet.data import synthetic
from capnet.data.card.notes import notes
from capnet.data.card.numbers import card
from capnet.data.card.page import card_page
from capnet.data.checks.examine import Facts, examine
from capnet.data.checks.files import check_files
from capnet.data.checks.findings import Finding, settle
from capnet.data.checks.people import check_people
from capnet.data.checks.published import count_splits, disagreements
from capnet.data.layouts import DatasetError, scan, version
from capnet.files import write_text
from capnet.records import Record, with_labels, write_manifest
from capnet.settings import Dataset


def prepare(name: str, settings: Dataset, folder: Path) -> dict[str, Any]:
    """Fill `folder` with the manifest, card.html and, if they are drawn, the images (R27).

    `name` is the data set's key in params.yaml, `folder` becomes what this call makes of it: a
    reader sees the earlier content or the new one. Every image is read whole. Returns the card in
    numbers, with the findings that `settings.allow` lets through. Raises DatasetError naming the
    key of params.yaml and every finding that it does not.
    """
    key = f"datasets.{name}.root"
    _check_root(key, settings, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        root, manifest = Path(settings.root), new / "manifest.csv"
        if settings.generate is not None:
            synthetic.generate(new, **settings.generate.model_dump())
            root = new / "images"
        try:
            release = version(settings.layout, root)
            records, facts = _read(root, scan(settings.layout, root, settings.table))
            allowed = settle(_check(settings, records, facts), settings, name)
        except DatasetError as error:
            raise DatasetError(f"{key}: {error}") from None
        write_manifest(manifest, records)
        found = notes(root, records, facts)
        content = card(name, settings, release, records, facts) | {
            "allowed": allowed,
            "notes": {note: len(names) for note, names in found.items()},
            "manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        }
        write_text(new / "card.html", card_page(content, settings, found, root, records))
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        new.rename(folder)
    return content


def _check_root(key: str, settings: Dataset, folder: Path) -> None:
    """Keep drawn images in the folder that prepare replaces, and all others out of it."""
    root, images = Path(settings.root), folder / "images"
    if settings.generate is None and root.resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"{key}: {root} lies in {folder}, which prepare replaces; move it")
    if settings.generate is not None and root.resolve() != images.resolve():
        raise DatasetError(f"{key}: {root} must be {images}, where the images are drawn")


def _read(root: Path, listed: Sequence[Record]) -> tuple[list[Record], dict[str, Facts]]:
    """Read every image; return the records with labels and digests, and the facts by path."""
    facts = examine(root, [record.path for record in listed])
    records = [replace(record, digest=facts[record.path].digest) for record in listed]
    return with_labels(records), facts


def _check(
    settings: Dataset, records: Sequence[Record], facts: Mapping[str, Facts]
) -> list[Finding]:
    """Run every check, whatever the others find."""
    findings = [*check_files(records, facts), *check_people(records)]
    if settings.benchmark is not None:
        findings += disagreements(settings.benchmark, count_splits(records))
    return findings
