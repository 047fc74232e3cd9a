"""A data set and a training small enough for a test."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from capnet.forms import Form
from capnet.records import Record, with_labels
from capnet.settings import Evaluate, Rerank, Run

# The paper's choices where size does not matter, written out: a change of params.yaml is no
# reason for another result here.
MODEL = {
    "backbone": "resnet10",
    "weights": None,
    "last_stride": 1,
    "height": 64,
    "width": 32,
    "neck": "bnneck",
    "attention": {
        "sigma": math.pi,
        "residual": False,
        "cam_from": "attended",
        "cam_range": "normalised",
        "cam_gradient": False,
    },
}
TRAIN = {
    "epochs": 2,
    "ids_per_batch": 2,
    "images_per_id": 2,
    "accumulate": 1,
    "learning_rate": 3.5e-4,
    "rate_scaling": None,
    "weight_decay": 5e-4,
    "warmup_epochs": 1,
    "warmup_factor": 0.01,
    "decay_epochs": [3],
    "decay_factor": 0.1,
    "attention_weight": 0.01,
    "triplet_margin": 0.3,
    "label_smoothing": 0.0,
    "flip": 0.5,
    "pad": 2,
    "erasing": 0.5,
    "precision": "fp32",
    "deterministic": False,
    "keep_every": 0,
}
EVALUATE = Evaluate(
    batch_size=64,
    flip_average=False,
    ranks=[1, 5, 10, 20],
    rerank=Rerank(k1=20, k2=6, lambda_value=0.3),
    single_shot_trials=0,
    gallery_lists=16,
    overlays=8,
)


def run_of(
    form: Form = "s_times_c",
    *,
    seed: int = 1,
    model: dict[str, Any] | None = None,
    attention: dict[str, Any] | None = None,
    train: dict[str, Any] | None = None,
) -> Run:
    """A tiny run of a form, with some settings changed."""
    changed = MODEL | (model or {})
    changed["attention"] = MODEL["attention"] | (attention or {})
    cell = {"dataset": "tiny", "variant": form, "seed": seed, "form": form}
    return Run.model_validate(cell | {"model": changed, "train": TRAIN | (train or {})})


def draw_people(root: Path, *, people: int = 4, images: int = 3) -> list[Record]:
    """Noise with a colour of each person's own: as many people to train on as to find again.

    A person to find has one query and `images` in the gallery; the first of these is by the query's
    camera. One gallery image is junk and one a distractor.
    """
    rng = np.random.default_rng(0)
    records = []
    for pid in range(1, 2 * people + 1):
        colour = rng.integers(0, 256, 3)
        for number in range(images):
            split = "train" if pid <= people else "gallery"
            records.append(_draw(root, rng, colour, pid, 1 + number % 2, split, number))
        if pid > people:
            records.append(_draw(root, rng, colour, pid, 1, "query", images))
    for pid in (-1, 0):
        records.append(_draw(root, rng, rng.integers(0, 256, 3), pid, 1, "gallery", 0))
    return with_labels(records)


def _draw(
    root: Path, rng: np.random.Generator, colour: Any, pid: int, camid: int, split: Any, number: int
) -> Record:
    pixels = (colour + rng.integers(0, 256, (64, 32, 3))) // 2
    path = f"{split}/{pid}_c{camid}_{number}.png"
    (root / split).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(root / path)
    return Record(path, pid, camid, split, -1, "")
