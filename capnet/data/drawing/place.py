"""The places that a camera watches: ground, wall and the things that stand about.

A place is painted once, several boxes wide; every image shows another part of it, so different
people share a background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from capnet.data.drawing import surfaces
from capnet.data.drawing.canvas import fill_box
from capnet.data.drawing.person import PALETTE, Rgb, between, pick, vary
from capnet.data.drawing.surfaces import Surface
from capnet.data.drawing.things import THINGS

GROUNDS: tuple[tuple[Surface, Rgb], ...] = (
    (surfaces.paving, (156, 150, 142)),
    (surfaces.asphalt, (96, 98, 104)),
    (surfaces.tiles, (190, 182, 168)),
    (surfaces.grass, (104, 128, 74)),
    (surfaces.planks, (150, 118, 86)),
)
WALLS: tuple[tuple[Surface, Rgb], ...] = (
    (surfaces.brick, (150, 88, 70)),
    (surfaces.shops, (92, 100, 112)),
    (surfaces.panels, (128, 142, 152)),
    (surfaces.windows, (172, 168, 160)),
    (surfaces.hedge, (62, 92, 54)),
)


@dataclass(frozen=True, slots=True)
class Style:
    """What the places of one camera have in common; `horizon` is a share of the height."""

    ground: Surface
    ground_colour: Rgb
    wall: Surface
    wall_colour: Rgb
    horizon: float


def choose_style(rng: np.random.Generator, order: int) -> Style:
    """Draw the style of a data set's camera number `order`; the first five differ in kind."""
    ground, ground_colour = GROUNDS[order % len(GROUNDS)]
    wall, wall_colour = WALLS[(order + order // len(WALLS)) % len(WALLS)]
    horizon = between(rng, 0.28, 0.5)
    return Style(ground, vary(rng, ground_colour, 14), wall, vary(rng, wall_colour, 14), horizon)


def paint_place(
    rng: np.random.Generator, style: Style, size: tuple[int, int], clutter: float
) -> Image.Image:
    """Paint one place of the camera's style on a picture of `size`; `clutter` in [0, 1]."""
    width, height = size
    picture = Image.new("RGB", size, style.wall_colour)
    pen = ImageDraw.Draw(picture)
    horizon = round(height * style.horizon)
    style.wall(pen, rng, (0, 0, width, horizon), style.wall_colour)
    fill_box(pen, (0, horizon, width, height), style.ground_colour)
    style.ground(pen, rng, (0, horizon, width, height), style.ground_colour)
    picture = _roughen(rng, picture)
    _furnish(ImageDraw.Draw(picture), rng, size, horizon, round(15 * clutter))
    return picture.filter(ImageFilter.BoxBlur(max(1, height // 200)))


def _furnish(
    pen: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    size: tuple[int, int],
    horizon: int,
    count: int,
) -> None:
    """Set things up, the far and small ones first."""
    width, height = size
    for nearness in sorted(between(rng, 0.0, 0.45) for _ in range(count)):
        spot = (int(rng.integers(width)), horizon + round((height - horizon) * nearness))
        tall = round(height * (0.4 + 0.4 * nearness) * between(rng, 0.85, 1.2))
        pick(rng, THINGS)(pen, rng, spot, tall, vary(rng, pick(rng, PALETTE), 16))


def _roughen(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Give every surface a grain."""
    grain = rng.integers(112, 145, size=(picture.height // 2, picture.width // 2), dtype=np.uint8)
    sheet = Image.fromarray(grain).resize(picture.size, Image.Resampling.NEAREST)
    return ImageChops.soft_light(picture, Image.merge("RGB", [sheet] * 3))
