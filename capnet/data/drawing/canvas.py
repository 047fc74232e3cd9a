"""Shapes painted on a picture and on its map of body parts at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from PIL import Image, ImageDraw

from capnet.data.drawing.person import Cloth, Rgb

Point = tuple[int, int]
Ink = Rgb | Image.Image  # a colour, or a picture of a fabric as large as the canvas
Shape = Callable[[ImageDraw.ImageDraw, Rgb | int], None]

BACKGROUND, HEAD, TORSO, LEGS = range(4)


class Canvas:
    """A picture (RGB) and the parts (L) of the one figure painted on it."""

    def __init__(self, picture: Image.Image) -> None:
        self.picture = picture
        self.parts = Image.new("L", picture.size, BACKGROUND)
        self._pen = ImageDraw.Draw(self.picture)
        self._parts_pen = ImageDraw.Draw(self.parts)

    def paint(self, shape: Shape, ink: Ink, part: int) -> None:
        """Fill `shape` with `ink`, and with `part` on the map of parts."""
        shape(self._parts_pen, part)
        if isinstance(ink, tuple):
            shape(self._pen, ink)
        else:
            stencil = Image.new("L", self.picture.size)
            shape(ImageDraw.Draw(stencil), 255)
            paste_within(self.picture, ink, stencil)


def paste_within(picture: Image.Image, ink: Ink, mask: Image.Image) -> None:
    """Paste `ink` through `mask` (L, of the picture's size), leaving out what the mask has empty.

    Most masks are small, and Pillow blends every pixel that it is given.
    """
    box = mask.getbbox()
    if box is not None:
        part = ink if isinstance(ink, tuple) else ink.crop(box)
        picture.paste(part, box, mask.crop(box))


def fill_box(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], ink: Rgb) -> None:
    """Fill a rectangle (left, top, right, bottom); nothing where it is empty."""
    if box[0] <= box[2] and box[1] <= box[3]:
        pen.rectangle(box, fill=ink)


def polygon(points: Sequence[Point]) -> Shape:
    """Return a closed polygon."""
    return lambda pen, ink: pen.polygon(points, fill=ink)


def ellipse(centre: Point, half_width: float, half_height: float) -> Shape:
    """Return an upright ellipse; at least one pixel."""
    (x, y), a, b = centre, max(1, round(half_width)), max(1, round(half_height))
    return lambda pen, ink: pen.ellipse((x - a, y - b, x + a, y + b), fill=ink)


def limb(joints: Sequence[Point], half_widths: Sequence[float]) -> Shape:
    """Return a chain of tapering segments with round joints."""
    ends = list(zip(joints, half_widths, strict=True))
    shapes = [polygon(_segment(a, b, wide, narrow)) for (a, wide), (b, narrow) in pairwise(ends)]
    shapes += [ellipse(joint, half, half) for joint, half in ends]

    def draw(pen: ImageDraw.ImageDraw, ink: Rgb | int) -> None:
        for shape in shapes:
            shape(pen, ink)

    return draw


def fabric(cloth: Cloth, size: Point, origin: Point, unit: float) -> Ink:
    """Return the cloth as ink for a canvas of `size`; its pattern hangs from `origin`.

    `unit` is one per cent of the wearer's stature in pixels.
    """
    if cloth.pattern not in _WEAVES:
        return cloth.colour
    sheet = Image.new("RGB", size, cloth.colour)
    pen = ImageDraw.Draw(sheet)
    _WEAVES[cloth.pattern](pen, size, origin, max(4, round(cloth.period * unit)), cloth.second)
    return sheet


def _segment(start: Point, end: Point, wide: float, narrow: float) -> list[Point]:
    (x1, y1), (x2, y2) = start, end
    length = max(1.0, math.sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2))
    across, down = (y1 - y2) / length, (x2 - x1) / length
    corners = ((x1, y1, wide), (x2, y2, narrow), (x2, y2, -narrow), (x1, y1, -wide))
    return [(round(x + half * across), round(y + half * down)) for x, y, half in corners]


def _hoops(pen: ImageDraw.ImageDraw, size: Point, origin: Point, period: int, colour: Rgb) -> None:
    for y in range(origin[1], size[1], period):
        fill_box(pen, (0, y, size[0], y + period // 2 - 1), colour)


def _stripes(
    pen: ImageDraw.ImageDraw, size: Point, origin: Point, period: int, colour: Rgb
) -> None:
    for x in range(origin[0] % period, size[0], period):
        fill_box(pen, (x, 0, x + period // 3, size[1]), colour)


def _check(pen: ImageDraw.ImageDraw, size: Point, origin: Point, period: int, colour: Rgb) -> None:
    thick = max(2, period // 4)
    for x in range(origin[0] % period, size[0], period):
        fill_box(pen, (x, 0, x + thick, size[1]), colour)
    for y in range(origin[1] % period, size[1], period):
        fill_box(pen, (0, y, size[0], y + thick), colour)


def _dots(pen: ImageDraw.ImageDraw, size: Point, origin: Point, period: int, colour: Rgb) -> None:
    radius = max(2, period // 4)
    for row, y in enumerate(range(origin[1] % period, size[1], period)):
        for x in range((origin[0] + row % 2 * period // 2) % period, size[0], period):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _yoke(pen: ImageDraw.ImageDraw, size: Point, origin: Point, period: int, colour: Rgb) -> None:
    fill_box(pen, (0, 0, size[0], origin[1] + 2 * period), colour)


def _band(pen: ImageDraw.ImageDraw, size: Point, origin: Point, period: int, colour: Rgb) -> None:
    fill_box(pen, (0, origin[1] + period, size[0], origin[1] + 2 * period + 2), colour)


_WEAVES = {
    "hoops": _hoops,
    "stripes": _stripes,
    "check": _check,
    "dots": _dots,
    "yoke": _yoke,
    "band": _band,
}
