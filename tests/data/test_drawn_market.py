"""Market-1501's true people, cameras, junk and distractors, drawn and checked as if it were it."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capnet.data import scene
from capnet.data.checks.published import PUBLISHED
from capnet.data.prepare import prepare
from capnet.records import read_manifest
from capnet.settings import Dataset, Synthetic

LABELS = Path(__file__).resolve().parents[3] / "shared/data/market1501-labels.npz"
DIALS = ("clutter", "occlusion", "misalignment", "camera_shift", "clothing_similarity")
PIDS = {"train": "train_label", "query": "query_pid", "gallery": "gallery_pid"}


def noise(rng, person, place, camera, size, dials, **how):
    """Stand in for the painter, who needs minutes for 36,036 pictures."""
    picture = Image.frombytes("RGB", size, rng.bytes(3 * size[0] * size[1]))
    return picture, None


def nobody(rng, similarity):
    """Stand in for the tailor: noise shows nobody."""


def save(picture, path, **options):
    """Stand in for the encoder; masks are left out, nothing checks them."""
    if picture:
        path.write_bytes(b"P6 %d %d 255\n" % picture.size + picture.tobytes())


@pytest.mark.slow
@pytest.mark.skipif(not LABELS.is_file(), reason=f"needs {LABELS.name} in ../shared/data")
def test_it_passes_every_check_of_the_real_one(tmp_path, monkeypatch):
    for name, quick in (("photograph", noise), ("invent", nobody), ("_save", save)):
        monkeypatch.setattr(scene, name, quick)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})  # all in this process
    folder = tmp_path / "market"
    drawn = Synthetic(seed=1, labels=str(LABELS), height=32, width=16, **dict.fromkeys(DIALS, 0.5))
    settings = Dataset(
        layout="market", benchmark="market1501", root=str(folder / "images"), generate=drawn
    )
    card = prepare("drawn", settings, folder)
    assert card["splits"] == PUBLISHED["market1501"].splits
    assert card["allowed"] == []
    assert card["notes"] == {}
    records = read_manifest(folder / "manifest.csv")
    labels = np.load(LABELS)
    for split, pids in PIDS.items():
        cameras = labels[f"{split}_camid"] + 1
        expected = Counter(zip(labels[pids].tolist(), cameras.tolist(), strict=True))
        assert Counter((r.pid, r.camid) for r in records if r.split == split) == expected
