"""Who a drawn person is: body, hair, clothes and bag, the same in each of their images.

Lengths are per cent of the stature. Colours come from two sources: outfits that many people share,
so that colour alone does not tell them apart, and a wide palette.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

T = TypeVar("T")
Rgb = tuple[int, int, int]
Pattern = Literal["plain", "hoops", "stripes", "check", "dots", "yoke", "band", "badge", "sleeves"]
Top = Literal["tee", "shirt", "jacket", "coat", "vest"]
Bottom = Literal["trousers", "wide", "shorts", "skirt", "long_skirt"]
Hair = Literal["bald", "short", "bob", "long", "tail", "bun", "cap", "scarf"]
Bag = Literal["none", "backpack", "shoulder", "handbag", "tote"]

PATTERNS: tuple[Pattern, ...] = (
    *("plain",) * 4,
    *("hoops", "stripes", "check", "dots", "yoke", "band", "badge", "sleeves"),
)
TOPS: tuple[Top, ...] = ("tee", "tee", "shirt", "shirt", "jacket", "jacket", "coat", "vest")
BOTTOMS: tuple[Bottom, ...] = ("trousers", "trousers", "wide", "shorts", "skirt", "long_skirt")
HAIRS: tuple[Hair, ...] = (
    *("bald", "short", "short", "short"),
    *("bob", "long", "tail", "bun", "cap", "scarf"),
)
BAGS: tuple[Bag, ...] = ("none", "none", "backpack", "backpack", "shoulder", "handbag", "tote")

SKINS: tuple[Rgb, ...] = (
    (244, 208, 182), (232, 188, 155), (212, 160, 122),
    (180, 126, 90), (140, 92, 64), (98, 64, 46),
)  # fmt: skip
HAIR_COLOURS: tuple[Rgb, ...] = (
    (28, 24, 24), (52, 36, 28), (92, 60, 36), (150, 104, 56), (212, 176, 108), (160, 156, 152),
    (132, 52, 30),
)  # fmt: skip
PALETTE: tuple[Rgb, ...] = (
    (34, 34, 38), (92, 94, 100), (164, 166, 170), (236, 234, 228), (34, 44, 84), (58, 88, 138),
    (110, 158, 204), (186, 40, 46), (118, 28, 44), (226, 112, 132), (224, 124, 44), (232, 194, 66),
    (52, 112, 66), (92, 98, 58), (64, 150, 146), (112, 72, 140), (118, 82, 54), (204, 180, 140),
)  # fmt: skip
OUTFITS: tuple[tuple[Rgb, Rgb], ...] = (  # upper and lower
    ((40, 42, 48), (38, 38, 44)),
    ((228, 226, 222), (44, 46, 54)),
    ((42, 54, 96), (66, 90, 132)),
    ((140, 144, 150), (60, 80, 120)),
    ((176, 48, 50), (42, 42, 50)),
    ((94, 100, 66), (186, 164, 128)),
    ((120, 160, 200), (52, 60, 88)),
    ((196, 172, 136), (96, 74, 56)),
)


@dataclass(frozen=True, slots=True)
class Cloth:
    """A piece of clothing: its colours, and a pattern that repeats every `period` per cent."""

    colour: Rgb
    second: Rgb
    pattern: Pattern
    period: float


@dataclass(frozen=True, slots=True)
class Person:
    """All that identifies a person; half-widths for the body's measures."""

    shoulder: float
    waist: float
    hip: float
    depth: float
    limb: float
    head: float
    hip_height: float
    skin: Rgb
    hair: Hair
    hair_colour: Rgb
    hat_colour: Rgb
    top: Top
    upper: Cloth
    inner: Rgb
    bottom: Bottom
    lower: Cloth
    shoes: Rgb
    boots: bool
    bag: Bag
    bag_colour: Rgb


def invent(rng: np.random.Generator, similarity: float) -> Person:
    """Draw a person's looks; `similarity` in [0, 1] is the share of people in a common outfit."""
    if rng.random() < similarity:
        upper, lower = pick(rng, OUTFITS)
    else:
        upper, lower = pick(rng, PALETTE), pick(rng, PALETTE)
    build = between(rng, 1.0, 1.45)
    return Person(
        shoulder=build * between(rng, 9.0, 11.5),
        waist=build * between(rng, 6.6, 9.2),
        hip=build * between(rng, 7.4, 9.2),
        depth=build * between(rng, 5.4, 7.4),
        limb=build * between(rng, 0.92, 1.12),
        head=between(rng, 1.0, 1.16),
        hip_height=between(rng, 48.0, 53.0),
        skin=vary(rng, pick(rng, SKINS), 8),
        hair=pick(rng, HAIRS),
        hair_colour=vary(rng, pick(rng, HAIR_COLOURS), 8),
        hat_colour=vary(rng, pick(rng, PALETTE), 12),
        top=pick(rng, TOPS),
        upper=_cloth(rng, upper),
        inner=vary(rng, pick(rng, PALETTE), 12),
        bottom=pick(rng, BOTTOMS),
        lower=_lower_cloth(rng, lower),
        shoes=vary(rng, pick(rng, PALETTE), 12),
        boots=rng.random() < 0.2,
        bag=pick(rng, BAGS),
        bag_colour=vary(rng, pick(rng, PALETTE), 12),
    )


def pick(rng: np.random.Generator, choices: tuple[T, ...]) -> T:
    """Return one of `choices`, each equally likely."""
    return choices[int(rng.integers(len(choices)))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number in [low, high), uniformly."""
    return low + (high - low) * float(rng.random())


def vary(rng: np.random.Generator, colour: Rgb, spread: int) -> Rgb:
    """Return `colour` with each channel moved by at most `spread`."""
    red, green, blue = (
        min(255, max(0, channel + int(rng.integers(-spread, spread + 1)))) for channel in colour
    )
    return red, green, blue


def shade(colour: Rgb, percent: int) -> Rgb:
    """Return `colour` at `percent` of its brightness."""
    red, green, blue = (min(255, channel * percent // 100) for channel in colour)
    return red, green, blue


def _cloth(rng: np.random.Generator, colour: Rgb) -> Cloth:
    second = pick(rng, PALETTE)
    while sum(abs(a - b) for a, b in zip(colour, second, strict=True)) < 150:
        second = pick(rng, PALETTE)
    return Cloth(
        colour=vary(rng, colour, 12),
        second=vary(rng, second, 12),
        pattern=pick(rng, PATTERNS),
        period=between(rng, 4.5, 8.0),
    )


def _lower_cloth(rng: np.random.Generator, colour: Rgb) -> Cloth:
    cloth = _cloth(rng, colour)
    pattern: Pattern = "check" if rng.random() < 0.15 else "plain"
    return Cloth(cloth.colour, cloth.second, pattern, cloth.period)
