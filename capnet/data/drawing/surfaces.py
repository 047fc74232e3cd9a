"""Walls and grounds, painted with Pillow into a box of a picture."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import ImageDraw

from capnet.data.drawing.canvas import fill_box
from capnet.data.drawing.person import PALETTE, Rgb, pick, shade, vary

Pen = ImageDraw.ImageDraw
Box = tuple[int, int, int, int]  # left, top, right, bottom
Surface = Callable[[Pen, np.random.Generator, Box, Rgb], None]


def brick(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Lay courses of bricks, each of its own tone."""
    left, top, right, bottom = box
    step = max(4, (bottom - top) // 9)
    for row, y in enumerate(range(top, bottom, step)):
        for x in range(left - (row % 2) * step, right, step * 2):
            tone = shade(colour, 88 + int(rng.integers(25)))
            fill_box(pen, (x + 1, y + 1, x + step * 2 - 1, y + step - 1), tone)


def panels(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Clad a wall with panels; some in the colours of clothes."""
    left, top, right, bottom = box
    high = bottom - top
    while left < right:
        wide = high // 2 + int(rng.integers(high))
        tint = vary(rng, colour, 10) if rng.random() < 0.6 else shade(pick(rng, PALETTE), 92)
        fill_box(pen, (left, top, left + wide - 3, bottom), tint)
        pen.line((left, top + high // 3, left + wide - 3, top + high // 3), fill=shade(tint, 86))
        left += wide


def windows(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Put a row of windows into a wall."""
    left, top, right, bottom = box
    high = bottom - top
    step = max(16, high * 2 // 3)
    for x in range(left - int(rng.integers(step)), right, step):
        glass = vary(rng, (84, 108, 128), 26)
        pane = (x + step // 6, top + high // 8, x + step * 5 // 6, top + high * 3 // 4)
        pen.rectangle(pane, fill=glass, outline=shade(colour, 60), width=2)
        pen.line((pane[0], pane[3], pane[2], pane[1]), fill=shade(glass, 125), width=3)
        fill_box(pen, (pane[0] - 3, pane[3], pane[2] + 3, pane[3] + 4), shade(colour, 118))


def hedge(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Grow a hedge below a strip of sky."""
    left, top, right, bottom = box
    high = bottom - top
    fill_box(pen, (left, top, right, top + high // 3), (178, 198, 214))
    for _ in range((right - left) // 3):
        x = int(rng.integers(left, right))
        y = top + high // 5 + int(rng.integers(high))
        r = high // 10 + int(rng.integers(max(1, high // 7)))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=shade(colour, 70 + int(rng.integers(60))))


def shops(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Line up shop fronts: signs, and goods in the colours of clothes."""
    left, top, right, bottom = box
    high = bottom - top
    while left < right:
        wide = high + int(rng.integers(high))
        front = shade(colour, 80 + int(rng.integers(40)))
        fill_box(pen, (left, top, left + wide, bottom), front)
        pane = (left + 4, top + high // 3, left + wide - 4, bottom - 6)
        fill_box(pen, pane, (206, 204, 186))
        for x in range(left + 10, left + wide - 12, 16):
            shelf = top + high // 3 + int(rng.integers(max(1, high // 3)))
            goods = vary(rng, pick(rng, PALETTE), 10)
            fill_box(pen, (x, shelf, x + 9, bottom - 10), goods)
        board = (left, top + high // 7, left + wide - 2, top + high // 3)
        fill_box(pen, board, vary(rng, pick(rng, PALETTE), 10))
        left += wide


def paving(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Lay slabs in perspective, each of its own tone."""
    _floor(pen, box, lambda row, column: shade(colour, 90 + int(rng.integers(20))))


def tiles(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Lay a chequered floor in perspective."""
    dark = shade(colour, 76)
    _floor(pen, box, lambda row, column: dark if (row + column) % 2 else colour)


def planks(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Lay boards across the view."""
    for top, bottom in pairwise(_rows(box, 10)):
        tone = shade(colour, 88 + int(rng.integers(24)))
        fill_box(pen, (box[0], top, box[2], bottom - 2), tone)


def asphalt(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Lay a road with a kerb and a zebra crossing."""
    left, top, right, bottom = box
    kerb = top + (bottom - top) // 8
    fill_box(pen, (left, top, right, kerb), shade(colour, 140))
    fill_box(pen, (left, kerb, right, kerb + 3), shade(colour, 170))
    paint = pick(rng, ((216, 212, 202), (206, 170, 66)))
    far, near = kerb + (bottom - top) // 4, bottom - (bottom - top) // 4
    step = (bottom - top) // 3
    for x in range(left + int(rng.integers(step)), right - (right - left) // 3, step):
        pen.polygon(
            [(x, near), (x + step // 2, near), (x + step * 3 // 4, far), (x + step * 2 // 5, far)],
            fill=paint,
        )


def grass(pen: Pen, rng: np.random.Generator, box: Box, colour: Rgb) -> None:
    """Sow a lawn with a path through it."""
    left, top, right, bottom = box
    for _ in range(right - left):
        x, y = int(rng.integers(left, right)), int(rng.integers(top, bottom))
        pen.line((x, y, x + 4, y - 6), fill=shade(colour, 78 + int(rng.integers(50))), width=2)
    path = top + (bottom - top) // 2
    fill_box(pen, (left, path, right, path + (bottom - top) // 3), (176, 160, 132))


def _rows(box: Box, count: int) -> list[int]:
    """Return the edges of rows that grow towards the viewer."""
    _, top, _, bottom = box
    return [
        top + (bottom - top) * row * (row + 4) // (count * (count + 4)) for row in range(count + 1)
    ]


def _floor(pen: Pen, box: Box, tone: Callable[[int, int], Rgb]) -> None:
    """Paint quadrilaterals whose sides meet at one point above the horizon."""
    left, top, right, bottom = box
    middle, wide = (left + right) // 2, (bottom - top) // 3
    rows = _rows(box, 8)
    reach = bottom - top

    def corner(column: int, y: int) -> tuple[int, int]:
        spread = reach + 2 * (y - top)  # the sides' distance, in thirds of that at the bottom
        return middle + column * wide * spread // (3 * reach), y

    columns = 3 * (right - left) // (2 * wide) + 2
    for row, (far, near) in enumerate(pairwise(rows)):
        for column in range(-columns, columns):
            slab = [corner(column, far), corner(column + 1, far)]
            slab += [corner(column + 1, near), corner(column, near)]
            pen.polygon(slab, fill=tone(row, column))
            pen.line((*slab[0], *slab[3]), fill=(96, 94, 92))
        pen.line((left, near, right, near), fill=(96, 94, 92))
