"""A drawn re-identification data set: stylised pedestrians in the Market-1501 layout, with masks.

The person identifies, the background misleads: every camera shows everybody in its own few places
and through its own colours, while a person's looks (build, hair, clothes, bag) stay. Nobody is
real, nothing is downloaded, and a seed gives the same files on any machine.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from capnet.data.drawing.photo import Dials
from capnet.data.scene import Plan, draw
from capnet.data.shots import GALLERY, QUERY, TRAIN, Shot, check_range, plan_shots
from capnet.machine import cores_per_process


def generate(
    root: Path,
    *,
    seed: int,
    height: int,
    width: int,
    train_ids: int | None = None,
    test_ids: int | None = None,
    cameras: int | None = None,
    images_per_camera: int | None = None,
    distractors: int | None = None,
    junk: int | None = None,
    labels: str | Path | None = None,
    clutter: float = 0.6,
    occlusion: float = 0.25,
    misalignment: float = 0.4,
    camera_shift: float = 0.4,
    clothing_similarity: float = 0.6,
    background_leak: float = 0.0,
    workers: int | None = None,
) -> None:
    """Draw a data set into `root`/images and `root`/masks, whole or not at all (R27, A25).

    images/{bounding_box_train,query,bounding_box_test}/PPPP_cCsS_FFFFFF_NN.jpg: pids 1 ..
    `train_ids` train, the `test_ids` after them test, each seen `images_per_camera` times by every
    camera C in place S. The first of these test images is a query, the others are gallery; there
    too are `distractors` (0000: strangers, and boxes without a person) and `junk` (-1: badly cut
    boxes). masks/<same folder>/<same stem>.png (8-bit grey): 0 background, 1 head, 2 torso, 3 legs
    of the person meant, where visible; arms are torso, hair is head, clothes and bags belong to the
    part that they cover, and a box without a person has an empty mask.

    In place of these six counts `labels` names an .npz file with the ids and cameras of a real set,
    one entry per image: train_label, train_camid, query_pid, query_camid, gallery_pid and
    gallery_camid (whole numbers; pids from 1 to 9999, in the gallery also 0 and -1; cameras from 0
    to 24, one less than in the names). Every entry gives one image of that pid and camera, so
    the set has the real one's counts and structure.

    How hard it is, each in [0, 1]: `clutter` in the background, `occlusion` (share of images with
    something in front), `misalignment` of the boxes, `camera_shift` (how differently cameras render
    colour and detail), `clothing_similarity` (share of people in one of eight common outfits),
    `background_leak` (share of train images that show the person's own spot of one of the camera's
    places, so the background tells who it is; in test images it never does, and whoever looks at it
    is punished. People, poses and masks stay the same at every leak).
    Rank-1 / mAP measured at the defaults (seed 1, 64 + 64 people, 4 cameras x 4 images of 128 x 64,
    128 distractors): chance 0.4 / 1.6 %, colour histogram 0.4 / 1.4 %, untrained ResNet-10
    6 / 4 %, ImageNet ResNet-50 20 / 10 %, baseline ResNet-10 after ten epochs 70 / 52 %.

    The same arguments give the same files for any number of `workers` (processes; default: one per
    core). An existing `root` is replaced when the new one is complete. Raises ValueError naming the
    argument that is out of range, and for `labels` the file and the array.
    """
    dials = Dials(
        clutter, occlusion, misalignment, camera_shift, clothing_similarity, background_leak
    )
    processes = cores_per_process() if workers is None else workers
    check_range("seed", seed, 0)
    check_range("height", height, 32)
    check_range("width", width, 16)
    check_range("workers", processes, 1)
    for name, value in asdict(dials).items():
        check_range(name, value, 0, 1)
    shots = plan_shots(
        labels,
        train_ids=train_ids,
        test_ids=test_ids,
        cameras=cameras,
        images_per_camera=images_per_camera,
        distractors=distractors,
        junk=junk,
    )
    _write(Path(root), shots, Plan(seed, (width, height), dials), processes)


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
    one = partial(draw, plan=plan, root=root)
    progress = partial(tqdm, desc="drawing images", total=len(shots), unit="image", disable=None)
    if processes == 1:
        for _ in progress(map(one, shots)):
            pass
        return
    # Fresh interpreters: a fork would copy the threads' locks of whoever calls.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for _ in progress(pool.map(one, shots, chunksize=32)):
            pass
