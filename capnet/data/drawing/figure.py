"""A person painted in a pose, part by part; what lies deeper comes first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from capnet.data.drawing.body import Body, Joint, Pose, Stand
from capnet.data.drawing.canvas import HEAD, LEGS, TORSO, Canvas, ellipse, limb, polygon
from capnet.data.drawing.outfit import (
    paint_back,
    paint_carried,
    paint_front,
    paint_hair,
    paint_head,
)
from capnet.data.drawing.person import Person, shade

HEM = {"tee": 3.0, "shirt": 4.0, "jacket": 2.0, "coat": 18.0, "vest": 2.0}  # below the hips
EASE = {"trousers": 0.2, "wide": 1.5, "shorts": 0.7}  # room in a trouser leg


def paint_figure(picture: Image.Image, person: Person, pose: Pose, stand: Stand) -> Image.Image:
    """Paint the person on `picture`; return the parts (L: 0, 1 head, 2 torso, 3 legs)."""
    body = Body(Canvas(picture), person, pose, stand)
    _shadow(body)
    layers: list[tuple[float, Callable[[Body], None]]] = [
        (-1.0, _skirt),
        (0.0, _torso),
        (0.5, paint_head),
        (body.near(0, -9), paint_hair),
        (body.near(0, -12), paint_back),
        (body.near(0, 12), paint_front),
        (body.near(person.shoulder, 2), paint_carried),
    ]
    for side in (-1, 1):
        hip, _, ankle = body.leg(side)
        layers.append((body.near(hip[0], 0.3 * ankle[2]) - 40, partial(_leg, side=side)))
        shoulder, _, wrist = body.arm(side)
        layers.append((body.near(shoulder[0], 0.5 * wrist[2]), partial(_arm, side=side)))
    for _, paint in sorted(layers, key=lambda layer: layer[0]):
        paint(body)
    _relief(picture, body.canvas.parts, stand.stature)
    return body.canvas.parts


def _torso(body: Body) -> None:
    p, unit = body.person, body.unit
    hip, hem = p.hip_height, p.hip_height + HEM[p.top]
    neck = (body.at(0, 12, 0.5), body.at(0, 18, -0.5))
    body.canvas.paint(limb(neck, (2.5 * unit, 2.9 * unit)), shade(p.skin, 86), HEAD)
    flare = 1.22 if p.top == "coat" else 1.04
    trunk = body.outline(
        (16.0, 3.2, 2.8),
        (18.0, p.shoulder * 0.72, p.depth * 0.7),
        (21.0, p.shoulder, p.depth * 0.92),
        (30.0, p.shoulder * 0.93, p.depth * 1.05),
        (41.0, p.waist, p.depth * 0.92),
        (hip, p.hip, p.depth * 1.05),
        (hem, p.hip * flare, p.depth * 1.05 * flare),
    )
    body.canvas.paint(polygon(trunk), body.upper, TORSO)
    if p.top in ("tee", "vest") and body.cos > 0.2:
        neckline = ellipse(body.at(0, 16.6, 2.5), body.half(3.2, 2.0), 1.8 * unit)
        body.canvas.paint(neckline, shade(p.skin, 92), TORSO)


def _skirt(body: Body) -> None:
    p = body.person
    if p.bottom not in ("skirt", "long_skirt"):
        return
    hem = 74.0 if p.bottom == "skirt" else 89.0
    flare = 1.25 if p.bottom == "skirt" else 1.45
    cloth = body.outline(
        (p.hip_height - 8, p.waist, p.depth * 0.9),
        (p.hip_height + 2, p.hip, p.depth * 1.1),
        (hem, p.hip * flare, p.depth * 1.15 * flare),
    )
    body.canvas.paint(polygon(cloth), body.lower, LEGS)


def _arm(body: Body, side: int) -> None:
    p, u = body.person, body.unit * body.person.limb
    light = 80 if body.near(side, 0) < -0.35 else 96
    shoulder, elbow, wrist = body.arm(side)
    points = [body.at(*joint) for joint in (shoulder, elbow, wrist)]
    bare = limb(points, (2.4 * u, 2.2 * u, 1.7 * u))
    hand = ellipse(body.at(*_between(elbow, wrist, 1.2)), 1.7 * u, 2.0 * u)
    for shape in (bare, hand):
        body.canvas.paint(shape, shade(p.skin, light), TORSO)
    widths = [3.1 * u, 2.7 * u, 2.2 * u]
    if p.top == "tee":
        points, widths = [points[0], body.at(*_between(shoulder, elbow, 0.75))], widths[:2]
    ink, colour = body.upper, p.upper.colour
    if p.top == "vest" or p.upper.pattern == "sleeves":
        ink = colour = p.inner if p.top == "vest" else p.upper.second
    # A dark edge keeps the arm apart from a trunk of the same cloth.
    edge = limb(points, [width + 0.45 * body.unit for width in widths])
    body.canvas.paint(edge, shade(colour, 60), TORSO)
    sleeve = shade(ink, light) if isinstance(ink, tuple) else ink
    body.canvas.paint(limb(points, widths), sleeve, TORSO)


def _leg(body: Body, side: int) -> None:
    p, u = body.person, body.unit * body.person.limb
    joints = body.leg(side)
    points = [body.at(*joint) for joint in joints]
    far = side * body.sin > 0.2 or body.near(0, joints[2][2]) < -3
    if p.bottom in ("shorts", "skirt", "long_skirt"):
        skin = shade(p.skin, 80 if far else 96)
        body.canvas.paint(limb(points, (4.2 * u, 3.1 * u, 1.9 * u)), skin, LEGS)
    if p.bottom in EASE:
        ease = EASE[p.bottom]
        cloth = body.lower
        if isinstance(cloth, tuple):
            cloth = shade(cloth, 80 if far else 98)
        widths = ((4.9 + ease) * u, (3.8 + ease) * u, (2.7 + ease) * u)
        end = 2 if p.bottom == "shorts" else 3
        body.canvas.paint(limb(points[:end], widths[:end]), cloth, LEGS)
    _shoe(body, joints[1], joints[2], 80 if far else 100)


def _shoe(body: Body, knee: Joint, ankle: Joint, light: int) -> None:
    p, unit = body.person, body.unit
    colour = shade(p.shoes, light)
    if p.boots:
        shaft = (body.at(*_between(ankle, knee, 0.45)), body.at(*ankle))
        body.canvas.paint(limb(shaft, (3.4 * unit, 3.0 * unit)), colour, LEGS)
    x, y, z = ankle
    sole = (body.at(x, y + 1.5, z - 1), body.at(x * 1.2, y + 2.0, z + 6))
    body.canvas.paint(limb(sole, (2.2 * unit, 1.6 * unit)), colour, LEGS)


def _between(start: Joint, end: Joint, share: float) -> Joint:
    x, y, z = ((1 - share) * a + share * b for a, b in zip(start, end, strict=True))
    return x, y, z


def _shadow(body: Body) -> None:
    picture, unit = body.canvas.picture, body.unit
    x, y = body.stand.x, body.stand.y
    patch = Image.new("L", picture.size)
    ellipse((x + round(4 * unit), y), 15 * unit, 3.2 * unit)(ImageDraw.Draw(patch), 120)
    radius = max(1, round(unit))
    box = _around(patch, radius + 1)
    if box is not None:
        soft = patch.crop(box).filter(ImageFilter.BoxBlur(radius))
        picture.paste((16, 16, 22), box, soft)


def _relief(picture: Image.Image, parts: Image.Image, stature: int) -> None:
    """Model the figure by light from the upper left: bright and dark rims along its outline."""
    box = parts.getbbox()
    if box is None:
        return
    mask = parts.point([0] + [255] * 255)
    radius = max(1, stature // 32)
    blurred = mask.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius))
    soft = np.pad(np.asarray(blurred, dtype=np.int16), radius, mode="edge")
    slope = soft[2 * radius :, 2 * radius :] - soft[: -2 * radius, : -2 * radius]
    light = Image.fromarray((122 + slope // 3).astype(np.uint8)).crop(box)
    lit = ImageChops.soft_light(picture.crop(box), Image.merge("RGB", [light] * 3))
    picture.paste(lit, box, mask.crop(box))


def _around(mask: Image.Image, margin: int) -> tuple[int, int, int, int] | None:
    """Return the box of what a mask shows and a margin, inside the picture; None if it is empty."""
    box = mask.getbbox()
    if box is None:
        return None
    left, top, right, bottom = box
    return (
        max(0, left - margin),
        max(0, top - margin),
        min(mask.width, right + margin),
        min(mask.height, bottom + margin),
    )
