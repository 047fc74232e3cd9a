"""The background leak: in training the place tells the person, in the test it never does."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capnet.data.synthetic import generate

SET = {
    "seed": 7,
    "train_ids": 12,
    "test_ids": 2,
    "cameras": 2,
    "images_per_camera": 3,
    "height": 64,
    "width": 32,
    "distractors": 2,
    "junk": 2,
    "occlusion": 0.0,
}
NAME = re.compile(r"(-1|\d{4})_c(\d)s(\d)_(\d{6})_00")
Drawn = dict[tuple[str, str, str, str], Path]  # image by folder, pid, camera and number


def drawn(root: Path) -> Drawn:
    images = {}
    for path in sorted(root.glob("images/*/*")):
        pid, camera, _, number = NAME.fullmatch(path.stem).groups()
        images[path.parent.name, pid, camera, number] = path
    return images


def place(path: Path) -> str:
    return NAME.fullmatch(path.stem)[3]


def train(images: Drawn) -> Drawn:
    return {key: path for key, path in images.items() if key[0] == "bounding_box_train"}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(np.int16)


def mask(path: Path) -> np.ndarray:
    return pixels(path.parents[2] / "masks" / path.parent.name / f"{path.stem}.png")


@pytest.fixture(scope="module")
def leaks(tmp_path_factory: pytest.TempPathFactory) -> list[Drawn]:
    """Return one set at the leaks 0 (the default), 0.5 and 1."""
    root = tmp_path_factory.mktemp("leaks")
    for name, dial in (("none", {}), ("half", {"background_leak": 0.5})):
        generate(root / name, **SET, **dial, workers=1)
    generate(root / "full", **SET, background_leak=1.0, workers=1)
    return [drawn(root / name) for name in ("none", "half", "full")]


def test_the_leak_changes_the_background_of_train_images_and_nothing_else(
    leaks: list[Drawn],
) -> None:
    none, _, full = leaks
    assert none.keys() == full.keys()
    for key, path in none.items():
        assert np.array_equal(mask(path), mask(full[key]))
        same = (path.name, path.read_bytes()) == (full[key].name, full[key].read_bytes())
        assert same == (key not in train(none))


def test_half_a_leak_mixes_the_images_of_none_and_all(leaks: list[Drawn]) -> None:
    none, half, full = (
        {key: path.read_bytes() for key, path in train(images).items()} for images in leaks
    )
    assert all(half[key] in (none[key], full[key]) for key in half)
    assert 0.35 < np.mean([half[key] == full[key] for key in half]) < 0.65


def test_the_place_is_the_persons_as_often_as_asked(leaks: list[Drawn]) -> None:
    home = {pid: place(path) for (_, pid, *_), path in train(leaks[2]).items()}
    assert len(set(home.values())) > 1
    none, half, full = (
        np.mean([place(path) == home[pid] for (_, pid, *_), path in train(images).items()])
        for images in leaks
    )
    assert full == 1
    assert none < 0.35 < 0.45 < half < 0.75  # expected: 1 in 5, and 3 in 5


def right_by_background(images: Drawn) -> float:
    """Find the nearest background of the same camera: how often is it the same person's?"""
    looks = np.array([pixels(path) for path in images.values()])
    free = np.array([mask(path) == 0 for path in images.values()])
    _, pids, cameras, _ = (np.array(column) for column in zip(*images, strict=True))
    hits = []
    for i in range(len(looks)):
        both = free & free[i]
        apart = np.abs(looks - looks[i]).sum(axis=3) * both
        distance = apart.sum(axis=(1, 2)) / both.sum(axis=(1, 2))
        distance[(cameras != cameras[i]) | (np.arange(len(looks)) == i)] = np.inf
        hits.append(pids[distance.argmin()] == pids[i])
    return float(np.mean(hits))


def test_who_looks_at_the_background_is_right_in_training_alone(leaks: list[Drawn]) -> None:
    none, _, full = leaks
    assert right_by_background(train(full)) > 0.8
    assert right_by_background(train(none)) < 0.2  # chance: 2 in 35
