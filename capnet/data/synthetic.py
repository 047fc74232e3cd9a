"""A drawn re-identification data set: stylised pedestrians in the Market-1501 layout, with masks.

The person identifies, the background misleads: every camera shows everybody in its own few places
and through its own colours, while a person's looks (build, hair, clothes, bag) stay. Nobody is
real, nothing is downloaded, and a seed gives the same files on any machine.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from capnet.data.drawing.camera import Camera, install
from capnet.data.drawing.person import Person, invent
from capnet.data.drawing.photo import SCALE, Dials, photograph
from capnet.data.drawing.place import paint_place
from capnet.machine import cores_per_process

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
JUNK, DISTRACTOR = -1, 0
PLACES = 5  # per camera: the sequence number in a file's name
# Every person, camera, place and image has a random stream of its own, seeded by (seed, kind, ...),
# so that the order of drawing and the number of processes change nothing.
PERSON, STRANGER, FRAGMENT, CAMERA, PLACE, IMAGE = range(6)


@dataclass(frozen=True, slots=True)
class Shot:
    """An image to draw: its folder, Market pid, camera (from 1), and number among its like."""

    folder: str
    pid: int
    camera: int
    number: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What all images of a data set have in common; `size` is (width, height)."""

    seed: int
    size: tuple[int, int]
    dials: Dials


def generate(
    root: Path,
    *,
    seed: int,
    train_ids: int,
    test_ids: int,
    cameras: int,
    images_per_camera: int,
    height: int,
    width: int,
    distractors: int,
    junk: int,
    clutter: float = 0.6,
    occlusion: float = 0.25,
    misalignment: float = 0.4,
    camera_shift: float = 0.4,
    clothing_similarity: float = 0.6,
    workers: int | None = None,
) -> None:
    """Draw a data set into `root`/images and `root`/masks, whole or not at all (R27, A25).

    images/{bounding_box_train,query,bounding_box_test}/PPPP_cCsS_FFFFFF_NN.jpg: pids 1 ..
    `train_ids` train, the `test_ids` after them test, each seen `images_per_camera` times by every
    camera C in place S. The first of these test images is a query, the others are gallery; there
    too are `distractors` (0000: strangers, and boxes without a person) and `junk` (-1: badly cut
    boxes). masks/<same folder>/<same stem>.png: 0 background, 1 head, 2 torso, 3 legs of the
    person meant, where visible; clothes and bags belong to the part that they cover, and a box
    without a person has an empty mask.

    How hard it is, each in [0, 1]: `clutter` in the background, `occlusion` (share of images with
    something in front), `misalignment` of the boxes, `camera_shift` (how differently cameras render
    colour and detail), `clothing_similarity` (share of people in one of eight common outfits).
    Rank-1 / mAP measured at the defaults (seed 1, 64 + 64 people, 4 cameras x 4 images of 128 x 64,
    128 distractors): chance 0.4 / 1.6 %, colour histogram 0.4 / 1.4 %, untrained ResNet-10
    6 / 4 %, ImageNet ResNet-50 20 / 10 %, baseline ResNet-10 after ten epochs 70 / 52 %.

    The same arguments give the same files for any number of `workers` (processes; default: one per
    core). An existing `root` is replaced when the new one is complete. Raises ValueError naming the
    argument that is out of range.
    """
    dials = Dials(clutter, occlusion, misalignment, camera_shift, clothing_similarity)
    processes = cores_per_process() if workers is None else workers
    for name, value, low, high in (
        ("seed", seed, 0, None),
        ("train_ids", train_ids, 1, 9999),
        ("test_ids", test_ids, 1, 9999),
        ("train_ids + test_ids", train_ids + test_ids, 2, 9999),  # four digits in a file's name
        ("cameras", cameras, 2, 9),  # a query is answered by another camera; one digit
        ("images_per_camera", images_per_camera, 2, 9999),  # one for the query, one to be found
        ("height", height, 32, None),
        ("width", width, 16, None),
        ("distractors", distractors, 0, 999999),
        ("junk", junk, 0, 999999),
        ("workers", processes, 1, None),
        *((name, value, 0, 1) for name, value in asdict(dials).items()),
    ):
        if not (low <= value and (high is None or value <= high)):
            span = f"from {low} to {high}" if high is not None else f"{low} or more"
            raise ValueError(f"{name} must be {span}, not {value}")
    shots = _people_shots(train_ids, test_ids, cameras, images_per_camera)
    for pid, count in ((DISTRACTOR, distractors), (JUNK, junk)):
        shots += [Shot(GALLERY, pid, n % cameras + 1, n) for n in range(count)]
    _write(Path(root), shots, Plan(seed, (width, height), dials), processes)


def _people_shots(train_ids: int, test_ids: int, cameras: int, images: int) -> list[Shot]:
    shots = []
    for pid in range(1, train_ids + test_ids + 1):
        for camera in range(1, cameras + 1):
            for number in range(images):
                test_folder = GALLERY if number else QUERY
                folder = TRAIN if pid <= train_ids else test_folder
                shots.append(Shot(folder, pid, camera, number))
    return shots


def _write(root: Path, shots: list[Shot], plan: Plan, processes: int) -> None:
    """Draw into a folder beside `root`, then give it that name."""
    temporary, old = (root.with_name(f".{root.name}.{os.getpid()}.{end}") for end in ("tmp", "old"))
    try:
        for folder in (TRAIN, QUERY, GALLERY):
            (temporary / "images" / folder).mkdir(parents=True)
            (temporary / "masks" / folder).mkdir(parents=True)
        _draw_all(shots, plan, temporary, processes)
        if root.exists():
            root.rename(old)
        temporary.rename(root)
    except OSError as error:
        reason = f"cannot write {root}: {error.strerror or error}; free space or check the folder"
        raise OSError(error.errno, reason) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _draw_all(shots: list[Shot], plan: Plan, root: Path, processes: int) -> None:
    draw = partial(_draw, plan=plan, root=root)
    if processes == 1:
        for shot in shots:
            draw(shot)
        return
    # Fresh interpreters: a fork would copy the threads' locks of whoever calls.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(draw, shots, chunksize=32):
            pass


def _draw(shot: Shot, plan: Plan, root: Path) -> None:
    rng = _stream(plan, IMAGE, shot.pid + 1, shot.camera, shot.number)
    place = int(rng.integers(PLACES))
    image, parts = photograph(
        rng,
        _cast(shot, plan, rng),
        _place(plan, shot.camera, place),
        _camera(plan, shot.camera),
        plan.size,
        plan.dials,
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


def _cast(shot: Shot, plan: Plan, rng: np.random.Generator) -> Person | None:
    """Return who is in the image; None where a detector saw a person in the background."""
    if shot.pid == JUNK:
        return _person(plan, FRAGMENT, shot.number) if rng.random() < 0.8 else None
    if shot.pid == DISTRACTOR:  # every stranger passes two cameras
        return _person(plan, STRANGER, shot.number // 2) if rng.random() < 0.75 else None
    return _person(plan, PERSON, shot.pid)


def _stream(plan: Plan, *key: int) -> np.random.Generator:
    return np.random.default_rng([plan.seed, *key])


@lru_cache(maxsize=256)
def _person(plan: Plan, kind: int, number: int) -> Person:
    return invent(_stream(plan, kind, number), plan.dials.clothing_similarity)


@lru_cache(maxsize=9)
def _camera(plan: Plan, number: int) -> Camera:
    return install(_stream(plan, CAMERA, number), number - 1, plan.dials.camera_shift)


@lru_cache(maxsize=9 * PLACES)
def _place(plan: Plan, camera: int, number: int) -> Image.Image:
    size = (plan.size[0] * SCALE * 3, plan.size[1] * SCALE * 9 // 8)
    style = _camera(plan, camera).style
    return paint_place(_stream(plan, PLACE, camera, number), style, size, plan.dials.clutter)
