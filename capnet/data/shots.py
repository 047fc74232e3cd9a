"""Which images a drawn data set has: so many of every person, or one per image of a real set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capnet.records import DISTRACTOR, JUNK

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
PIDS = 9999  # four digits in a file's name
NUMBERS = 999_999  # six digits
CAMERAS = 25  # five kinds of ground with five of wall; MSMT17 has 15
COLUMNS = {  # of a labels file: folder, arrays, the least pid
    TRAIN: ("train_label", "train_camid", 1),
    QUERY: ("query_pid", "query_camid", 1),
    GALLERY: ("gallery_pid", "gallery_camid", JUNK),
}
NEEDED = [key for *keys, _ in COLUMNS.values() for key in keys]


@dataclass(frozen=True, slots=True)
class Shot:
    """An image to draw: its folder, Market pid, camera (from 1), and number among its like."""

    folder: str
    pid: int
    camera: int
    number: int


def plan_shots(labels: str | Path | None, **counts: int | None) -> list[Shot]:
    """List the images of a data set, see `capnet.data.synthetic.generate`.

    Either `labels` or every one of the counts is given, the other is None. Raises ValueError naming
    the argument, and for `labels` the file and the array.
    """
    given = {name: count for name, count in counts.items() if count is not None}
    if len(given) != (0 if labels is not None else len(counts)):
        raise ValueError(f"labels must be given, or all of {', '.join(counts)}; never both")
    return _counted(**given) if labels is None else _labelled(Path(labels))


def check_range(name: str, value: float, low: float, high: float | None = None) -> None:
    """Raise ValueError naming the argument if `value` is not in [low, high]."""
    if not (low <= value and (high is None or value <= high)):
        span = f"from {low} to {high}" if high is not None else f"{low} or more"
        raise ValueError(f"{name} must be {span}, not {value}")


def _counted(
    train_ids: int,
    test_ids: int,
    cameras: int,
    images_per_camera: int,
    distractors: int,
    junk: int,
) -> list[Shot]:
    check_range("train_ids", train_ids, 1, PIDS)
    check_range("test_ids", test_ids, 1, PIDS)
    check_range("train_ids + test_ids", train_ids + test_ids, 2, PIDS)
    check_range("cameras", cameras, 2, CAMERAS)  # a query is answered by another camera
    check_range("images_per_camera", images_per_camera, 2, NUMBERS)  # a query, one to be found
    check_range("distractors", distractors, 0, NUMBERS)
    check_range("junk", junk, 0, NUMBERS)
    shots = []
    for pid in range(1, train_ids + test_ids + 1):
        for camera in range(1, cameras + 1):
            for number in range(images_per_camera):
                test_folder = GALLERY if number else QUERY
                folder = TRAIN if pid <= train_ids else test_folder
                shots.append(Shot(folder, pid, camera, number))
    for pid, count in ((DISTRACTOR, distractors), (JUNK, junk)):
        shots += [Shot(GALLERY, pid, n % cameras + 1, n) for n in range(count)]
    return shots


def _labelled(path: Path) -> list[Shot]:
    arrays = _read(path)
    shots: list[Shot] = []
    numbers: Counter[tuple[int, int]] = Counter()
    for folder, (pid_key, camera_key, least) in COLUMNS.items():
        pids = _column(arrays, path, pid_key, least, PIDS)
        cameras = _column(arrays, path, camera_key, 0, CAMERAS - 1)
        if len(pids) != len(cameras):
            raise ValueError(
                f"labels: {path}: {camera_key} has {len(cameras)} entries, {pid_key} {len(pids)}; "
                "both need one per image"
            )
        for pid, camera in zip(pids, cameras, strict=True):
            like = (pid, camera if pid > 0 else 0)  # strangers and junk are numbered throughout
            shots.append(Shot(folder, pid, camera + 1, numbers[like]))
            numbers[like] += 1
    train = {shot.pid for shot in shots if shot.folder == TRAIN}
    if both := train & {shot.pid for shot in shots if shot.folder != TRAIN}:
        raise ValueError(
            f"labels: {path}: train_label has {len(both)} people of query_pid or gallery_pid, "
            f"{min(both)} first; number train and test people apart"
        )
    return shots


def _read(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in NEEDED if key in arrays}
    except Exception as error:  # NumPy, zip and the file system each raise kinds of their own
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"labels: {path} cannot be read as .npz: {reason}; name another") from None


def _column(
    arrays: dict[str, NDArray[np.generic]], path: Path, key: str, low: int, high: int
) -> list[int]:
    if key not in arrays:
        raise ValueError(f"labels: {path} has no array {key}; needed: {', '.join(NEEDED)}")
    values = arrays[key]
    if values.ndim != 1 or values.dtype.kind not in "iu" or not values.size:
        raise ValueError(
            f"labels: {path}: {key} must be a list of whole numbers, one per image; it is "
            f"{values.dtype} of shape {values.shape}"
        )
    numbers: list[int] = values.tolist()
    check_range(f"labels: {path}: {key}", min(numbers), low, high)
    check_range(f"labels: {path}: {key}", max(numbers), low, high)
    return numbers
