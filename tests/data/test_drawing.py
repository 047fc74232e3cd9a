"""What the drawn images show: whole masks, people who stay alike, backgrounds that mislead."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from capnet.data.drawing.place import choose_style
from capnet.data.shots import CAMERAS
from capnet.data.synthetic import generate

SMALL = {
    "seed": 7,
    "train_ids": 3,
    "test_ids": 20,
    "cameras": 4,
    "images_per_camera": 3,
    "height": 64,
    "width": 32,
    "distractors": 10,
    "junk": 6,
}
TINY = SMALL | {"train_ids": 2, "test_ids": 2, "cameras": 2, "images_per_camera": 2}


class Picture:
    """One drawn file: what its name says, its pixels, its mask."""

    def __init__(self, path: Path) -> None:
        pid, camera = path.stem.split("_")[:2]
        self.pid, self.camera, self.split = int(pid), int(camera[1]), path.parent.name
        with Image.open(path) as image:
            self.mode, self.pixels = image.mode, np.asarray(image)
        with Image.open(path.parents[2] / "masks" / self.split / f"{path.stem}.png") as image:
            self.mask_mode, self.mask = image.mode, np.asarray(image)


def pictures(root: Path) -> list[Picture]:
    return [Picture(path) for path in sorted(root.glob("images/*/*"))]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    root = tmp_path_factory.mktemp("synthetic") / "set"
    generate(root, **SMALL, workers=1)
    return pictures(root)


def test_every_image_has_a_mask_of_parts(drawn: list[Picture]) -> None:
    for picture in drawn:
        assert (picture.mode, picture.mask_mode) == ("RGB", "L")
        assert picture.pixels.shape == (64, 32, 3)
        assert picture.mask.shape == (64, 32)
        assert set(np.unique(picture.mask)) <= {0, 1, 2, 3}
        assert picture.pid < 1 or picture.mask.any()
    people = [p for p in drawn if p.pid > 0]
    assert 0.30 <= np.mean([(p.mask > 0).mean() for p in people]) <= 0.45
    assert {1, 2, 3} == set(np.unique([p.mask for p in people])) - {0}


def test_parts_lie_from_head_to_legs(drawn: list[Picture]) -> None:
    rows = np.arange(64)[:, None]
    for picture in (p for p in drawn if p.pid > 0):
        heights = [
            np.broadcast_to(rows, picture.mask.shape)[picture.mask == part].mean()
            for part in (1, 2, 3)
            if (picture.mask == part).any()
        ]
        assert heights == sorted(heights)


def test_what_stands_in_front_is_background(tmp_path: Path) -> None:
    for name, occlusion in (("free", 0.0), ("hidden", 1.0)):
        generate(tmp_path / name, **TINY, occlusion=occlusion, workers=1)
    pairs = list(zip(pictures(tmp_path / "free"), pictures(tmp_path / "hidden"), strict=True))
    for free, hidden in pairs:
        covered = hidden.mask != free.mask
        assert not hidden.mask[covered].any()
    share = [(h.mask > 0).sum() / (f.mask > 0).sum() for f, h in pairs if f.pid > 0]
    assert 0.3 < np.mean(share) < 0.95


@pytest.mark.parametrize(("height", "width"), [(32, 16), (40, 100)])
def test_any_size_and_the_hardest_dials_can_be_drawn(
    tmp_path: Path, height: int, width: int
) -> None:
    dials = ("clutter", "occlusion", "misalignment", "camera_shift", "clothing_similarity")
    dials += ("background_leak",)
    size = {"height": height, "width": width, "junk": 20}
    generate(tmp_path / "set", **(TINY | size), **dict.fromkeys(dials, 1.0), workers=1)
    assert {p.pixels.shape for p in pictures(tmp_path / "set")} == {(height, width, 3)}


def test_no_two_cameras_have_ground_and_wall_of_the_same_kinds() -> None:
    rng = np.random.default_rng(1)
    styles = [choose_style(rng, order) for order in range(CAMERAS)]
    assert len({(style.ground, style.wall) for style in styles}) == CAMERAS


def first_found(
    drawn: list[Picture],
    describe: Callable[[Picture], np.ndarray],
    allowed: Callable[[Picture, Picture], bool] = lambda q, g: (
        (q.pid, q.camera) != (g.pid, g.camera)
    ),
) -> list[tuple[Picture, Picture]]:
    """Pair each query with the nearest gallery image, junk and its own camera left out (A25)."""
    query = [p for p in drawn if p.split == "query"]
    gallery = [p for p in drawn if p.split == "bounding_box_test" and p.pid >= 0]
    sets = [np.array([describe(p) for p in side]) for side in (query, gallery)]
    distance = np.array([np.abs(sets[1] - one).sum(axis=1) for one in sets[0]])
    legal = [[allowed(q, g) for g in gallery] for q in query]
    best = np.where(legal, distance, np.inf).argmin(axis=1)
    return [(q, gallery[i]) for q, i in zip(query, best, strict=True)]


def test_the_background_tells_the_camera_and_not_the_person(drawn: list[Picture]) -> None:
    def background(picture: Picture) -> np.ndarray:
        bands = zip(np.split(picture.pixels, 8), np.split(picture.mask, 8), strict=True)
        return np.concatenate([pixels[mask == 0].mean(axis=0) for pixels, mask in bands])

    pairs = first_found(drawn, background)
    assert np.mean([q.camera == g.camera for q, g in pairs]) > 0.75  # chance: 1 in 4
    assert np.mean([q.pid == g.pid for q, g in pairs]) < 0.1  # chance: 1 in 28


def test_a_colour_histogram_does_not_solve_it(drawn: list[Picture]) -> None:
    def histogram(picture: Picture) -> np.ndarray:
        red, green, blue = (picture.pixels.reshape(-1, 3) // 32).T.astype(int)
        return np.bincount(64 * red + 8 * green + blue, minlength=512)

    assert np.mean([q.pid == g.pid for q, g in first_found(drawn, histogram)]) < 0.15


def test_looks_stay_with_the_person(drawn: list[Picture]) -> None:
    def colours(picture: Picture) -> np.ndarray:
        masks = [picture.mask == part for part in (1, 2, 3)]
        return np.concatenate(
            [picture.pixels[m].mean(axis=0) if m.any() else np.zeros(3) for m in masks]
        )

    pairs = first_found(drawn, colours, allowed=lambda q, g: q.camera == g.camera)
    assert np.mean([q.pid == g.pid for q, g in pairs]) > 0.5  # chance: 1 in 20
