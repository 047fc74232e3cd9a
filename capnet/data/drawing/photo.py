"""One image of a data set: a person in a place, what stands in the way, seen by a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from capnet.data.drawing.body import Stand, strike
from capnet.data.drawing.camera import Camera, expose
from capnet.data.drawing.canvas import paste_within
from capnet.data.drawing.figure import paint_figure
from capnet.data.drawing.person import PALETTE, Person, between, invent, pick, vary
from capnet.data.drawing.things import OBSTACLES

SCALE = 2  # pictures are painted larger and reduced: smooth edges


@dataclass(frozen=True, slots=True)
class Dials:
    """How hard a data set is; each in [0, 1], see `capnet.data.synthetic.generate`."""

    clutter: float
    occlusion: float
    misalignment: float
    camera_shift: float
    clothing_similarity: float
    background_leak: float


def photograph(
    rng: np.random.Generator,
    person: Person | None,
    place: Image.Image,
    camera: Camera,
    size: tuple[int, int],
    dials: Dials,
    *,
    spot: tuple[float, float] | None,
    badly_cut: bool,
) -> tuple[Image.Image, Image.Image]:
    """Return an image (RGB) of `size` and the visible parts of the person in it (L).

    `place` is at least SCALE times as large; `spot` says what part of it is seen, as shares of what
    is free across and down (None: any). Without a person the box shows the place alone; if it is
    badly cut, only a piece of the person is in it.
    """
    width, height = size[0] * SCALE, size[1] * SCALE
    across, down = place.width - width, place.height - height
    left, top = int(rng.integers(across + 1)), int(rng.integers(down + 1))
    if spot is not None:  # after the draws above, so that all else stays the same
        left, top = round(spot[0] * across), round(spot[1] * down)
    picture = place.crop((left, top, left + width, top + height))
    if rng.random() < 0.5 * dials.clutter:
        _passer_by(rng, picture, camera, dials)
    parts = Image.new("L", picture.size)
    if person is not None:
        stand = _stand(rng, picture.size, camera.tilt, dials.misalignment)
        if badly_cut:
            stand = _displaced(rng, stand, picture.size)
        parts = paint_figure(picture, person, strike(rng), stand)
    if rng.random() < dials.occlusion:
        _obstruct(rng, picture, parts, camera, dials)
    image = expose(rng, picture.reduce(SCALE), camera)
    return image, parts.resize(size, Image.Resampling.NEAREST)


def _stand(
    rng: np.random.Generator, size: tuple[int, int], tilt: float, misalignment: float
) -> Stand:
    """Choose where the person stands in the box: filling it, more or less centred."""
    width, height = size
    loose = 0.16 * misalignment
    stature = height * (0.94 + between(rng, -loose, loose)) / (1 - 0.25 * tilt)
    x = width * (0.5 + between(rng, -loose, loose))
    y = height * (0.965 + between(rng, -0.4 * loose, 0.6 * loose))
    return Stand(round(x), round(y), round(stature), tilt)


def _displaced(rng: np.random.Generator, stand: Stand, size: tuple[int, int]) -> Stand:
    width, height = size
    return Stand(
        x=stand.x + round(width * pick(rng, (-1, 1)) * between(rng, 0.25, 0.6)),
        y=stand.y + round(height * between(rng, -0.6, 0.9)),
        stature=round(stand.stature * between(rng, 1.0, 1.8)),
        tilt=stand.tilt,
    )


def _passer_by(
    rng: np.random.Generator, picture: Image.Image, camera: Camera, dials: Dials
) -> None:
    """Paint somebody else behind, at an edge of the box."""
    width, height = picture.size
    x = pick(rng, (-1, 1)) * width * between(rng, 0.36, 0.56) + width / 2
    stature = height * between(rng, 0.6, 0.85)
    y = height * between(rng, 0.78, 0.92)
    stand = Stand(round(x), round(y), round(stature), camera.tilt)
    paint_figure(picture, invent(rng, dials.clothing_similarity), strike(rng), stand)


def _obstruct(
    rng: np.random.Generator,
    picture: Image.Image,
    parts: Image.Image,
    camera: Camera,
    dials: Dials,
) -> None:
    """Put a thing or somebody else in front: those parts of the person are not visible."""
    width, height = picture.size
    side = pick(rng, (-1, 1))
    if rng.random() < 0.35:
        layer = picture
        x = width / 2 + side * width * between(rng, 0.34, 0.5)
        stand = Stand(round(x), round(height * 1.1), round(height * 1.05), camera.tilt)
        other = invent(rng, dials.clothing_similarity)
        cover = paint_figure(layer, other, strike(rng), stand).point([0] + [255] * 255)
    else:
        layer = Image.new("RGBA", picture.size)
        spot = (round(width / 2 + side * width * between(rng, 0.1, 0.5)), round(height * 1.02))
        colour = vary(rng, pick(rng, PALETTE), 14)
        thing = pick(rng, OBSTACLES)
        thing(ImageDraw.Draw(layer), rng, spot, round(height * between(rng, 0.55, 0.8)), colour)
        cover = layer.getchannel("A")
        paste_within(picture, layer, cover)
    parts.paste(0, mask=cover)
