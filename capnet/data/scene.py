"""One image of a drawn data set: who is in it and where, the same whoever draws it and when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from capnet.data.drawing.camera import Camera, install
from capnet.data.drawing.person import Person, invent
from capnet.data.drawing.photo import SCALE, Dials, photograph
from capnet.data.drawing.place import paint_place
from capnet.data.shots import CAMERAS, TRAIN, Shot
from capnet.records import DISTRACTOR, JUNK

PLACES = 5  # per camera: the sequence number in a file's name
# Every person, camera, place and image has a random stream of its own, seeded by (seed, kind, ...),
# so that the order of drawing and the number of processes change nothing.
PERSON, STRANGER, FRAGMENT, CAMERA, PLACE, IMAGE, LEAK, HOME = range(8)


@dataclass(frozen=True, slots=True)
class Plan:
    """What all images of a data set have in common; `size` is (width, height)."""

    seed: int
    size: tuple[int, int]
    dials: Dials


def draw(shot: Shot, plan: Plan, root: Path) -> None:
    """Draw an image and its mask into `root`/images and `root`/masks, see `synthetic.generate`."""
    rng = _stream(plan, IMAGE, shot.pid + 1, shot.camera, shot.number)
    place, spot = int(rng.integers(PLACES)), None
    if _leaks(shot, plan):
        place, spot = _home(shot, plan)
    image, parts = photograph(
        rng,
        _cast(shot, plan, rng),
        _place(plan, shot.camera, place),
        _camera(plan, shot.camera),
        plan.size,
        plan.dials,
        spot=spot,
        badly_cut=shot.pid == JUNK,
    )
    pid = f"{shot.pid:04d}" if shot.pid != JUNK else "-1"
    name = f"{pid}_c{shot.camera}s{place + 1}_{shot.number:06d}_00"
    _save(image, root / "images" / shot.folder / f"{name}.jpg", quality=95, subsampling=0)
    _save(parts, root / "masks" / shot.folder / f"{name}.png")


def _save(image: Image.Image, path: Path, **options: int) -> None:
    """Write a file whole: Pillow's own save takes a short write for a success."""
    content = BytesIO()
    image.save(content, Image.registered_extensions()[path.suffix], **options)
    path.write_bytes(content.getbuffer())


def _leaks(shot: Shot, plan: Plan) -> bool:
    """Return whether the image's background tells the person."""
    chance = float(_stream(plan, LEAK, shot.pid + 1, shot.camera, shot.number).random())
    return shot.folder == TRAIN and chance < plan.dials.background_leak


def _home(shot: Shot, plan: Plan) -> tuple[int, tuple[float, float]]:
    """Return the person's own place of every camera, and the spot in it."""
    rng = _stream(plan, HOME, shot.pid)
    return int(rng.integers(PLACES)), (float(rng.random()), float(rng.random()))


def _cast(shot: Shot, plan: Plan, rng: np.random.Generator) -> Person | None:
    """Return who is in the image; None where a detector saw a person in the background."""
    if shot.pid == JUNK:
        return _person(plan, FRAGMENT, shot.number) if rng.random() < 0.8 else None
    if shot.pid == DISTRACTOR:  # every stranger is seen twice
        return _person(plan, STRANGER, shot.number // 2) if rng.random() < 0.75 else None
    return _person(plan, PERSON, shot.pid)


def _stream(plan: Plan, *key: int) -> np.random.Generator:
    return np.random.default_rng([plan.seed, *key])


@lru_cache(maxsize=256)
def _person(plan: Plan, kind: int, number: int) -> Person:
    return invent(_stream(plan, kind, number), plan.dials.clothing_similarity)


@lru_cache(maxsize=CAMERAS)
def _camera(plan: Plan, number: int) -> Camera:
    return install(_stream(plan, CAMERA, number), number - 1, plan.dials.camera_shift)


@lru_cache(maxsize=CAMERAS * PLACES)
def _place(plan: Plan, camera: int, number: int) -> Image.Image:
    size = (plan.size[0] * SCALE * 3, plan.size[1] * SCALE * 9 // 8)
    style = _camera(plan, camera).style
    return paint_place(_stream(plan, PLACE, camera, number), style, size, plan.dials.clutter)
