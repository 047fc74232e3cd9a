"""Read or draw one data set, check it, and freeze it as a manifest and a card of counts."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.pool import ThreadPool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from PIL import Image
from tqdm import tqdm

from capnet.data import synthetic
from capnet.data.layouts import DatasetError, scan, shown, version
from capnet.records import (
    DISTRACTOR,
    JUNK,
    Record,
    Split,
    of_split,
    with_labels,
    write_manifest,
)
from capnet.settings import Dataset


def prepare(name: str, settings: Dataset, folder: Path) -> dict[str, Any]:
    """Fill `folder` with the data set's manifest, and with its images if they are drawn (R27).

    `name` is the data set's key in params.yaml, `folder` becomes what this call makes of it: a
    reader sees the earlier content or the new one. Every image is read whole. Returns the card:
    per split the number of images (junk and distractors among them), of people, of cameras.
    Raises DatasetError naming the key of params.yaml and the folder or files that do not fit.
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
            records = with_labels(_read(root, scan(settings.layout, root)))
            _check(records)
        except DatasetError as error:
            raise DatasetError(f"{key}: {error}") from None
        write_manifest(manifest, records)
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        new.rename(folder)
    return {
        "dataset": name,
        "layout": settings.layout,
        "version": release,
        "root": settings.root,
        "drawn": settings.generate is not None,
        "splits": {split: _counts(of_split(records, split)) for split in get_args(Split)},
        "manifest_sha256": digest,
    }


def _check_root(key: str, settings: Dataset, folder: Path) -> None:
    """Keep drawn images in the folder that prepare replaces, and all others out of it."""
    root, images = Path(settings.root), folder / "images"
    if settings.generate is None and root.resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"{key}: {root} lies in {folder}, which prepare replaces; move it")
    if settings.generate is not None and root.resolve() != images.resolve():
        raise DatasetError(f"{key}: {root} must be {images}, where the images are drawn")


def _read(root: Path, records: Sequence[Record]) -> list[Record]:
    """Decode every image to its last row and give each record its file's SHA-256."""
    with ThreadPool() as pool:
        results = pool.imap(_examine, [root / record.path for record in records])
        read = list(tqdm(results, "reading images", len(records), unit="image", disable=None))
    pairs = list(zip(records, read, strict=True))
    faults = [f"{record.path} ({fault})" for record, (_, fault) in pairs if fault]
    if faults:
        raise DatasetError(
            f"{root}: {len(faults)} of {len(records)} images cannot be read: {shown(faults)}; "
            "copy these files again"
        )
    return [replace(record, digest=digest) for record, (digest, _) in pairs]


def _examine(path: Path) -> tuple[str, str]:
    """Return a file's SHA-256, and why it cannot be used ("" if it can)."""
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            # Pillow clips deeper pixels to white when it makes 8-bit RGB of them.
            fault = f"mode {image.mode}, not 8 bits" if image.mode[0] in "IF" else ""
    except Exception as error:  # each of Pillow's decoders raises kinds of its own
        return "", str(getattr(error, "strerror", None) or error)
    return hashlib.sha256(content).hexdigest(), fault


def _check(records: Sequence[Record]) -> None:
    """Refuse what cannot be trained on or scored."""
    people = {s: {r.pid for r in of_split(records, s) if r.pid > 0} for s in get_args(Split)}
    if len(people["train"]) < 2:
        raise DatasetError("the train images show one person; a triplet needs two or more (R16)")
    if both := sorted(people["train"] & (people["query"] | people["gallery"])):
        raise DatasetError(
            f"{len(both)} people are in the train and the test images: "
            f"{shown([str(pid) for pid in both])}; a test on people seen in training says nothing"
        )
    views = {(r.pid, r.camid) for r in of_split(records, "gallery")}
    cameras = {camid for _, camid in views}
    if not any(
        (query.pid, camid) in views
        for query in of_split(records, "query")
        for camid in cameras - {query.camid}
    ):
        raise DatasetError(
            "no query has an image of its person by another camera in the gallery (A25); "
            "nothing can be scored"
        )
    if twice := [path for path, n in Counter(r.path for r in records).items() if n > 1]:
        raise DatasetError(
            f"{len(twice)} images are listed twice: {shown(twice)}; correct the lists"
        )


def _counts(records: Sequence[Record]) -> dict[str, int]:
    pids = [record.pid for record in records]
    return {
        "images": len(records),
        "ids": len(set(pids) - {JUNK, DISTRACTOR}),
        "cameras": len({record.camid for record in records}),
        "junk": pids.count(JUNK),
        "distractors": pids.count(DISTRACTOR),
    }
