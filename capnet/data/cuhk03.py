"""CUHK03-NP's three folders, made from the original release and its published split (R27).

The release is cuhk-03.mat (Li et al., CVPR 2014; MATLAB 7.3, that is HDF5): per kind of boxes and
pair of cameras a table of people x 10 images, 5 of each camera, some missing. The split (Zhong et
al., CVPR 2017) lists the images by name, 2_014_1_03.png for pair 2, person 14, camera 1, image 3.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from capnet.data.layouts import LAYOUTS, DatasetError, shown

MAT = "cuhk-03.mat"
SPLIT = "cuhk03_new_protocol_config_{boxes}.mat"
BOXES = ("detected", "labeled")  # by a detector, or by hand
SOURCE = "https://github.com/zhunzhong07/person-re-ranking (evaluation/data/CUHK03)"


class Entry(NamedTuple):
    """One image of the split: its new path, and where it stands in the release, all from 1."""

    path: str
    pair: int
    person: int
    image: int


def convert(release: Path, boxes: str, target: Path) -> dict[str, int]:
    """Write the images of one kind of BOXES as PNG, bit for bit, into the new folder `target`.

    `release` is the unpacked cuhk03_release with cuhk-03.mat; the split file lies in it or beside
    it. Names are those of the published folders: person, camera, place in the split's list. Returns
    the number of images per folder. `target` appears whole or not at all; DatasetError says why.
    """
    if target.exists():
        raise DatasetError(f"{target} exists; remove it, or name another folder")
    entries = read_split(_split_file(release, boxes))
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        new = Path(temporary) / "new"
        _write(release / MAT, boxes, entries, new)
        new.rename(target)
    folders = [entry.path.partition("/")[0] for entry in entries]
    return {folder: folders.count(folder) for folder in dict.fromkeys(folders)}


def read_split(path: Path) -> list[Entry]:
    """Read a split file's train, query and gallery images; DatasetError if it is none."""
    loadmat = _library("scipy.io").loadmat
    try:
        content = loadmat(path, squeeze_me=True)
        names, pids, cameras = (np.atleast_1d(content[n]) for n in ("filelist", "labels", "camId"))
        places = {
            part.folder: np.atleast_1d(content[f"{part.split}_idx"]).astype(int)
            for part in LAYOUTS["cuhk03_np"][0].parts
        }
        return [
            _entry(folder, place, names[place - 1], int(pids[place - 1]), int(cameras[place - 1]))
            for folder, each in places.items()
            for place in each.tolist()
        ]
    except Exception as error:  # SciPy raises kinds of its own for what is no such file
        raise DatasetError(
            f"{path} is not the published split ({error!r}); copy it again from {SOURCE}"
        ) from None


def _entry(folder: str, place: int, name: str, pid: int, camera: int) -> Entry:
    match = re.fullmatch(r"(\d)_(\d{3})_(\d)_(\d{2})\.png", name)
    if match is None or int(match[3]) != camera or place < 1:
        raise ValueError(f"entry {place}: {name}, camera {camera}")
    path = f"{folder}/{pid:04d}_c{camera}_{place}.png"
    return Entry(path, int(match[1]), int(match[2]), int(match[4]))


def _split_file(release: Path, boxes: str) -> Path:
    name = SPLIT.format(boxes=boxes)
    for path in (release / name, release.parent / name):
        if path.is_file():
            return path
    raise DatasetError(f"{release} holds no {name}, nor the folder above; copy it from {SOURCE}")


def _write(mat: Path, boxes: str, entries: list[Entry], folder: Path) -> None:
    absent = []
    images = _images(mat, boxes, entries)
    for entry, pixels in tqdm(images, "writing", len(entries), unit="image", disable=None):
        if pixels is None:
            absent.append(entry.path)
            continue
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    if absent:
        raise DatasetError(
            f"{mat} lacks {len(absent)} of {len(entries)} {boxes} images of the split: "
            f"{shown(absent)}; use the split file of these boxes, or copy the release again"
        )


def _images(
    mat: Path, boxes: str, entries: list[Entry]
) -> Iterator[tuple[Entry, NDArray[np.uint8] | None]]:
    h5py = _library("h5py")
    if not mat.is_file():
        raise DatasetError(f"{mat}: no such file; name the unpacked folder cuhk03_release")
    try:
        with h5py.File(mat, "r") as file:
            pairs = [file[reference] for reference in file[boxes][0]]
            for entry in entries:
                yield entry, _pixels(file, pairs, entry)
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise DatasetError(f"{mat} is not the original release ({error}); copy it again") from None


def _pixels(file: Any, pairs: list[Any], entry: Entry) -> NDArray[np.uint8] | None:
    """Return an image as (height, width, 3), or None where its cell is empty or not there."""
    people = pairs[entry.pair - 1]  # MATLAB's tables arrive with their dimensions reversed
    images, persons = people.shape
    if entry.image > images or entry.person > persons:
        return None
    pixels: NDArray[np.uint8] = file[people[entry.image - 1, entry.person - 1]][()].T
    if pixels.ndim < 3:
        return None
    if pixels.dtype != np.uint8 or pixels.shape[2:] != (3,):
        raise ValueError(f"{entry.path} is {pixels.dtype} {pixels.shape}")
    return np.ascontiguousarray(pixels)


def _library(name: str) -> Any:
    """Import what only this conversion needs, so that no other user has to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise DatasetError(f"{name} is not installed; `pip install h5py scipy`") from None
