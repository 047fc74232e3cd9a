"""The drawn data set's files: names, counts, seeds, bad arguments, interruption."""

import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capnet.data import synthetic
from capnet.data.synthetic import generate

TINY = {
    "seed": 7,
    "train_ids": 2,
    "test_ids": 3,
    "cameras": 2,
    "images_per_camera": 3,
    "height": 64,
    "width": 32,
    "distractors": 10,
    "junk": 6,
}
NAME = re.compile(r"(-1|\d{4})_c(\d)s\d_\d{6}_\d\d")
# SHA-256 of the pixels of one image of TINY and of its mask. A change of the drawing is a change of
# the data set: look at the new pictures, then copy the digest from this test's failure by hand.
GOLDEN = "5182e0c00c9c2b68354f0096e1b8ef0f8448773e8095d8f81e083524f54362b3"


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def shots(root: Path, folder: str) -> Counter[tuple[int, int]]:
    """Count the images of a folder by pid and camera."""
    names = [NAME.fullmatch(path.stem) for path in (root / "images" / folder).iterdir()]
    assert all(names)
    return Counter((int(name[1]), int(name[2])) for name in names if name)


def test_a_seed_gives_the_same_files_for_any_number_of_workers(tmp_path: Path) -> None:
    for name, changes in (("a", {}), ("b", {"workers": 2}), ("c", {"seed": 8})):
        generate(tmp_path / name, **(TINY | {"background_leak": 0.5, "workers": 1} | changes))
    one, two, other = (contents(tmp_path / name) for name in "abc")
    assert one == two
    assert not set(one.values()) & {v for k, v in other.items() if k.endswith(".jpg")}


def test_the_pixels_are_the_pinned_ones(tmp_path: Path) -> None:
    generate(tmp_path, **TINY, workers=1)
    digest = hashlib.sha256()
    for kind in ("images", "masks"):
        (path,) = (tmp_path / kind / "query").glob("0003_c1*")
        with Image.open(path) as image:
            digest.update(np.asarray(image).tobytes())
    assert digest.hexdigest() == GOLDEN


def test_counts_and_split_follow_market1501(tmp_path: Path) -> None:
    generate(tmp_path, **TINY, workers=1)
    train, query, gallery = (
        shots(tmp_path, folder) for folder in ("bounding_box_train", "query", "bounding_box_test")
    )
    cells = {(pid, camera) for pid in (3, 4, 5) for camera in (1, 2)}
    assert train == Counter({(pid, camera): 3 for pid in (1, 2) for camera in (1, 2)})
    assert query == Counter(dict.fromkeys(cells, 1))  # answered by the other camera
    assert {cell: n for cell, n in gallery.items() if cell[0] > 0} == dict.fromkeys(cells, 2)
    assert sum(n for (pid, _), n in gallery.items() if pid == 0) == 10
    assert sum(n for (pid, _), n in gallery.items() if pid == -1) == 6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, -1) for name in ("seed", "distractors", "junk", "clutter", "occlusion")),
        *((name, 0) for name in ("train_ids", "test_ids", "workers")),
        *((name, 1) for name in ("cameras", "images_per_camera")),
        *((name, 8) for name in ("height", "width")),
        *((name, 1.5) for name in ("clothing_similarity", "background_leak")),
        ("misalignment", float("nan")),
        ("cameras", 26),
        ("train_ids", 10000),
        ("train_ids + test_ids", {"train_ids": 5000, "test_ids": 5000}),
    ],
)
def test_an_argument_out_of_range_is_named(tmp_path: Path, name: str, value: object) -> None:
    changes = value if isinstance(value, dict) else {name: value}
    with pytest.raises(ValueError, match=rf"^{re.escape(name)} must be"):
        generate(tmp_path / "set", **(TINY | changes))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("before", [False, True])
def test_an_interruption_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    root = tmp_path / "set"
    if before:
        generate(root, **TINY, workers=1)
    files = contents(tmp_path)
    calls = iter(range(9))

    def interrupted(*args: object, **kwargs: object) -> None:
        draw(*args, **kwargs)
        if next(calls) == 8:
            raise KeyboardInterrupt

    draw = synthetic.draw
    monkeypatch.setattr(synthetic, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate(root, **(TINY | {"seed": 8}), workers=1)
    assert contents(tmp_path) == files
    assert [path.name for path in tmp_path.iterdir()] == ["set"] * before


def test_a_complete_set_replaces_the_old_one(tmp_path: Path) -> None:
    root = tmp_path / "set"
    (root / "images" / "query").mkdir(parents=True)
    (root / "images" / "query" / "0001_c1s1_000000_00.jpg").write_text("old")
    (root / "manifest.csv").write_text("old")
    generate(root, **TINY, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert sorted(path.name for path in root.iterdir()) == ["images", "masks"]
    assert b"old" not in contents(root).values()
