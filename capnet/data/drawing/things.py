"""Things that stand about in a place, or in front of a person, in the colours of clothes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import ImageDraw

from capnet.data.drawing.canvas import fill_box
from capnet.data.drawing.person import Rgb, shade

Pen = ImageDraw.ImageDraw
Spot = tuple[int, int]  # middle of its foot
Thing = Callable[[Pen, np.random.Generator, Spot, int, Rgb], None]  # pen, rng, spot, height, colour


def car(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A parked car from its side; `height` as for a person beside it."""
    x, y = spot
    h, half = height * 2 // 3, height * 3 // 4
    roof = [(x - half * 5 // 8, y - h // 2), (x - half // 3, y - h)]
    roof += [(x + half // 3, y - h), (x + half * 3 // 4, y - h // 2)]
    pen.polygon(roof, fill=shade(colour, 86))
    glass = [(x - half // 2, y - h // 2), (x - half // 4, y - h * 9 // 10)]
    glass += [(x + half // 4, y - h * 9 // 10), (x + half // 2, y - h // 2)]
    pen.polygon(glass, fill=(70, 86, 98))
    pen.rounded_rectangle((x - half, y - h // 2, x + half, y - h // 8), h // 8, fill=colour)
    fill_box(pen, (x - half, y - h // 4, x + half, y - h // 5), shade(colour, 70))
    for wheel in (x - half // 2, x + half // 2):
        r = h // 6
        pen.ellipse((wheel - r, y - 2 * r, wheel + r, y), fill=(28, 28, 32))
        pen.ellipse(
            (wheel - r // 2, y - 3 * r // 2, wheel + r // 2, y - r // 2), fill=(150, 152, 156)
        )


def tree(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A trunk and its leaves; the colour is that of a poster on the trunk."""
    x, y = spot
    trunk = height // 14
    fill_box(pen, (x - trunk, y - height, x + trunk, y), (94, 74, 56))
    for _ in range(14):
        r = height // 8 + int(rng.integers(height // 8 + 1))
        cx = x + int(rng.integers(-height // 3, height // 3 + 1))
        cy = y - height + int(rng.integers(-height // 3, height // 5 + 1))
        leaf = shade((76, 112, 60), 70 + int(rng.integers(60)))
        pen.ellipse((cx - r, cy - r, cx + r, cy + r), fill=leaf)
    box = (x - 2 * trunk, y - height * 5 // 8, x + 2 * trunk, y - height * 3 // 8)
    fill_box(pen, box, colour)


def pole(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A lamp post, striped or plain."""
    x, y = spot
    half = max(2, height // 28)
    fill_box(pen, (x - half, 0, x + half, y), (112, 114, 118))
    if rng.random() < 0.5:
        for top in range(y - height * 3 // 4, y, 6 * half):
            fill_box(pen, (x - half, top, x + half, top + 3 * half), colour)


def sign(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A sign on a post, round or square."""
    x, y = spot
    r = height // 5
    fill_box(pen, (x - 2, y - height, x + 2, y), (120, 120, 124))
    box = (x - r, y - height - r, x + r, y - height + r)
    inner = (x - r // 2, y - height - r // 4, x + r // 2, y - height + r // 4)
    if rng.random() < 0.5:
        pen.ellipse(box, fill=colour)
    else:
        fill_box(pen, box, colour)
    fill_box(pen, inner, (236, 234, 226))


def litter_bin(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A litter bin."""
    x, y = spot
    h, half = height // 2, height // 6
    body = [(x - half, y - h), (x + half, y - h), (x + half * 4 // 5, y), (x - half * 4 // 5, y)]
    pen.polygon(body, fill=colour)
    lid = (x - half - 2, y - h - h // 8, x + half + 2, y - h + h // 10)
    fill_box(pen, lid, shade(colour, 64))
    for line in (-half // 2, 0, half // 2):
        pen.line((x + line, y - h + h // 6, x + line, y - 4), fill=shade(colour, 76), width=2)


def poster(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A standing advertisement, as tall as a person and as bright as a coat."""
    x, y = spot
    half = height // 4
    box = (x - half, y - height, x + half, y - height // 8)
    fill_box(pen, (x - half + 4, y - height // 8, x - half + 8, y), (60, 60, 64))
    fill_box(pen, (x + half - 8, y - height // 8, x + half - 4, y), (60, 60, 64))
    pen.rectangle(box, fill=colour, outline=(70, 70, 76), width=2)
    block = int(rng.integers(3))
    middle = y - height + height * (1 + block) // 5
    text = (x - half + 6, middle, x + half - 6, middle + height // 5)
    fill_box(pen, text, shade(colour, 56))
    r = half // 2
    pen.ellipse((x - r, y - height // 3 - r, x + r, y - height // 3 + r), fill=(232, 226, 208))


def stall(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A market stall under a striped awning."""
    x, y = spot
    half, top = height * 3 // 5, y - height
    fill_box(pen, (x - half, y - height // 3, x + half, y), (120, 92, 66))
    step = max(4, half // 4)
    for i, left in enumerate(range(x - half, x + half, step)):
        tone = colour if i % 2 else (232, 228, 218)
        foot, quarter = top + height // 4, step // 4
        pen.polygon(
            [(left, foot), (left + step, foot), (left + 3 * quarter, top), (left + quarter, top)],
            fill=tone,
        )
    for _ in range(8):
        cx, r = x + int(rng.integers(-half, half + 1)), height // 14 + 1
        fruit = shade(colour, 70 + int(rng.integers(60)))
        pen.ellipse((cx - r, y - height // 3 - r, cx + r, y - height // 3 + r), fill=fruit)


def bicycle(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A leaning bicycle."""
    x, y = spot
    r = height // 5
    for wheel in (x - r * 3 // 2, x + r * 3 // 2):
        pen.ellipse((wheel - r, y - 2 * r, wheel + r, y), outline=(36, 36, 40), width=3)
    hub, seat, bar = (x - r * 3 // 2, y - r), (x - r // 2, y - 3 * r), (x + r, y - 3 * r)
    crank = (x, y - r)
    for a, b in ((hub, seat), (seat, bar), (bar, crank), (crank, seat), (crank, hub)):
        pen.line((a, b), fill=colour, width=3)
    pen.line((bar, (x + r * 3 // 2, y - r)), fill=colour, width=3)


def barrier(pen: Pen, rng: np.random.Generator, spot: Spot, height: int, colour: Rgb) -> None:
    """A low barrier with bands."""
    x, y = spot
    half, top = height, y - height // 3
    fill_box(pen, (x - half, top, x + half, top + height // 7), (232, 230, 222))
    step = max(6, height // 7)
    for left in range(x - half, x + half, 2 * step):
        fill_box(pen, (left, top, left + step, top + height // 7), colour)
    for post in (x - half, x, x + half):
        fill_box(pen, (post - 3, top - 4, post + 3, y), (104, 104, 108))


THINGS: tuple[Thing, ...] = (car, tree, pole, sign, litter_bin, poster, poster, stall, bicycle)
OBSTACLES: tuple[Thing, ...] = (car, pole, litter_bin, poster, barrier, barrier)
