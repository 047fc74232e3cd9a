"""What a figure wears on head, chest and back, and what it carries."""

from __future__ import annotations

from capnet.data.drawing.body import Body
from capnet.data.drawing.canvas import HEAD, TORSO, ellipse, limb, polygon
from capnet.data.drawing.person import Rgb, shade

NECK_HAIR = {"bob": (15.0, 5.6), "long": (27.0, 5.8)}  # how far it falls, half-width


def paint_head(body: Body) -> None:
    """Paint skull, face, hair on the skull and headgear."""
    p, size = body.person, body.unit * body.person.head
    skull = body.half(5.0, 5.9) * p.head
    cover = p.hat_colour if p.hair == "scarf" else p.hair_colour
    base = p.skin if p.hair == "bald" else cover
    body.canvas.paint(ellipse(body.at(0, 7.2), skull, 7.2 * size), base, HEAD)
    if body.cos > -0.55:
        _face(body, skull, size)
    if p.hair == "cap":
        _cap(body, skull, size)
    if p.hair == "bun":
        body.canvas.paint(ellipse(body.at(0, 0.6, -2.5), 3 * size, 2.6 * size), cover, HEAD)
    if p.hair == "scarf":
        body.canvas.paint(ellipse(body.at(0, 16.6), body.half(6.2, 5.2), 2.8 * size), cover, TORSO)


def paint_hair(body: Body) -> None:
    """Paint the hair that falls behind the head."""
    p, unit = body.person, body.unit
    if p.hair in NECK_HAIR:
        end, wide = NECK_HAIR[p.hair]
        strand = (body.at(0, 6.5, -1.5), body.at(0, end, -3.5))
        fall = limb(strand, (body.half(wide, 5.4), body.half(wide, 3.2)))
        body.canvas.paint(fall, shade(p.hair_colour, 88), HEAD)
    elif p.hair == "tail":
        tied = (body.at(0, 5, -5.5), body.at(0, 12, -8), body.at(0, 21, -6.5))
        tail = limb(tied, (1.6 * unit, 2.2 * unit, 1.0 * unit))
        body.canvas.paint(tail, shade(p.hair_colour, 92), HEAD)


def paint_front(body: Body) -> None:
    """Paint what is seen on the chest: an open jacket, a badge, straps."""
    if body.cos < 0.25:
        return
    p, unit = body.person, body.unit
    depth = p.depth * 0.9
    if p.top in ("jacket", "coat"):
        hem = p.hip_height + (2 if p.top == "jacket" else 17)
        wide = 2.6 * unit * body.cos
        opening = [
            *(_beside(body.at(0, y, depth), -wide) for y in (16.5, hem)),
            *(_beside(body.at(0, y, depth), wide) for y in (hem, 16.5)),
        ]
        body.canvas.paint(polygon(opening), p.inner, TORSO)
    if p.upper.pattern == "badge":
        badge = ellipse(body.at(0, 28, depth), 5 * unit * body.cos, 4.2 * unit)
        body.canvas.paint(badge, p.upper.second, TORSO)
    if p.bag == "backpack":
        for side in (-1, 1):
            x = side * p.shoulder * 0.55
            strap = (body.at(x, 18, depth * 0.7), body.at(x * 1.15, 34, depth * 0.8))
            body.canvas.paint(limb(strap, (1.1 * unit, 1.0 * unit)), p.bag_colour, TORSO)
    if p.bag == "shoulder":
        _strap(body, depth)


def paint_back(body: Body) -> None:
    """Paint what is carried on the back: a backpack, a strap, a badge."""
    p, unit = body.person, body.unit
    if p.bag == "backpack":
        pack = body.outline((19.5, 6.0, 3.6), (21.5, 8.0, 4.6), (40.0, 8.4, 5.4), (43, 7.2, 4.6))
        shift = body.at(0, 0, -p.depth - 3)[0] - body.at(0, 0)[0]
        moved = [(x + shift, y) for x, y in pack]
        body.canvas.paint(polygon(moved), p.bag_colour, TORSO)
        if body.cos < -0.3:
            x, y = body.at(0, 35, -p.depth - 3)
            pocket = ellipse((x, y), body.half(5.0, 3.0), 3.6 * unit)
            body.canvas.paint(pocket, shade(p.bag_colour, 74), TORSO)
    if p.bag == "shoulder" and body.cos < -0.25:
        _strap(body, -p.depth * 0.9)
    if p.upper.pattern == "badge" and body.cos < -0.25 and p.bag != "backpack":
        badge = ellipse(body.at(0, 27, -p.depth), -6 * unit * body.cos, 3 * unit)
        body.canvas.paint(badge, p.upper.second, TORSO)


def paint_carried(body: Body) -> None:
    """Paint a bag at the left hip or in the left hand."""
    p, unit = body.person, body.unit
    if p.bag == "shoulder":
        _bag(body, (p.hip + 2.5, p.hip_height + 1, 0.0), (5.4, 5.6), p.bag_colour)
    elif p.bag in ("handbag", "tote"):
        x, y, z = body.arm(1)[2]
        drop, wide, high = (6.0, 4.6, 3.8) if p.bag == "handbag" else (10.0, 5.6, 7.6)
        handle = (body.at(x, y, z), body.at(x, y + drop - high, z))
        body.canvas.paint(limb(handle, (0.8 * unit, 1.2 * unit)), shade(p.bag_colour, 70), TORSO)
        _bag(body, (x, y + drop, z), (wide, high), p.bag_colour)


def _face(body: Body, skull: float, size: float) -> None:
    """Paint the face, turned with the head: narrower and off-centre the more it looks away."""
    p = body.person
    x, y = body.at(0, 8.6, 2.6)
    wide = max(0.35, 0.62 + 0.36 * body.cos) * skull * 0.95
    if p.hair == "bald":
        wide = skull * 0.9
    body.canvas.paint(ellipse((x, y), wide, 5.4 * size), p.skin, HEAD)
    if body.cos > 0.35:
        eye, dark = max(1, round(0.5 * size)), shade(p.skin, 38)
        for side in (-1, 1):
            spot = body.at(side * 2.0 * p.head, 8.0, 4.5)
            body.canvas.paint(ellipse(spot, eye, eye), dark, HEAD)
        mouth = body.at(0, 11.4, 4.5)
        body.canvas.paint(ellipse(mouth, 1.2 * size, 0.4 * size), shade(p.skin, 66), HEAD)


def _cap(body: Body, skull: float, size: float) -> None:
    p = body.person
    x, y = body.at(0, 4.4)
    body.canvas.paint(ellipse((x, y), skull * 1.06, 4.6 * size), p.hat_colour, HEAD)
    if body.cos > -0.5:
        brim = (body.at(0, 6.2, 3), body.at(0, 6.8, 8.5))
        wide = max(1.2 * size, skull * 0.8 * body.cos)
        body.canvas.paint(limb(brim, (1.2 * size, 1.1 * size)), shade(p.hat_colour, 78), HEAD)
        body.canvas.paint(ellipse(brim[1], wide, 1.1 * size), shade(p.hat_colour, 78), HEAD)


def _strap(body: Body, depth: float) -> None:
    p, unit = body.person, body.unit
    ends = (
        body.at(-p.shoulder * 0.6, 18, depth * 0.6),
        body.at(p.hip, p.hip_height - 3, depth * 0.5),
    )
    body.canvas.paint(limb(ends, (1.0 * unit, 1.0 * unit)), shade(p.bag_colour, 88), TORSO)


def _bag(
    body: Body, centre: tuple[float, float, float], half: tuple[float, float], colour: Rgb
) -> None:
    x, y = body.at(*centre)
    wide, high = round(body.half(half[0] * 0.55, half[0])), round(half[1] * body.unit)
    wide = max(wide, round(1.6 * body.unit))
    sack = [(x - wide, y + high), (x - wide * 7 // 8, y - high)]
    sack += [(x + wide * 7 // 8, y - high), (x + wide, y + high)]
    body.canvas.paint(polygon(sack), colour, TORSO)
    flap = [
        sack[1],
        sack[2],
        (x + wide * 7 // 8, y - high // 4),
        (x - wide * 7 // 8, y - high // 4),
    ]
    body.canvas.paint(polygon(flap), shade(colour, 80), TORSO)


def _beside(point: tuple[int, int], by: float) -> tuple[int, int]:
    return point[0] + round(by), point[1]
