"""A sheet of images of people: tiles on a grid below headings, and maps laid over them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from capnet.report.study import ReportError

TILE = (64, 128)  # width and height in pixels; every data set's images are shown this large
GAP, LINE = 6, 16
PAPER, INK = (255, 255, 255), (34, 34, 34)
Colour = tuple[int, int, int]


class Sheet:
    """A white picture with `rows` of tiles, one column below each heading.

    `margin` pixels are left free at the left and `foot` at the bottom.
    """

    def __init__(self, headings: Sequence[str], rows: int, margin: int = 0, foot: int = 0) -> None:
        wrapped = [textwrap.wrap(heading, 10, break_long_words=False) for heading in headings]
        widest = max(_font().getlength(line) for lines in wrapped for line in lines)
        self.margin, self.head = margin, 8 + LINE * max(map(len, wrapped))
        self.pitch = max(TILE[0], round(widest)) + GAP
        width = margin + len(headings) * self.pitch + GAP
        height = self.head + rows * (TILE[1] + GAP) + GAP + foot
        self.picture = Image.new("RGB", (width, height), PAPER)
        self.pen = ImageDraw.Draw(self.picture)
        for column, lines in enumerate(wrapped):
            x, y = self.corner(0, column)
            self.write((x + TILE[0] // 2, y - GAP), "\n".join(lines), anchor="md")

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Return the upper left pixel of a tile."""
        indent = (self.pitch - TILE[0] - GAP) // 2
        return (
            self.margin + GAP + column * self.pitch + indent,
            self.head + GAP + row * (TILE[1] + GAP),
        )

    def paste(self, row: int, column: int, tile: Image.Image) -> None:
        """Put a tile in its place."""
        self.picture.paste(tile, self.corner(row, column))

    def frame(self, row: int, column: int, colour: Colour, mark: str = "") -> None:
        """Frame a tile, with a mark in its upper left corner."""
        x, y = self.corner(row, column)
        box = (x - 2, y - 2, x + TILE[0] + 1, y + TILE[1] + 1)
        self.pen.rectangle(box, outline=colour, width=3)
        if mark:
            self.pen.rectangle((x - 2, y - 2, x + 15, y + 15), fill=colour)
            self.write((x + 7, y + 7), mark, anchor="mm", colour=PAPER)

    def write(
        self,
        at: tuple[int, int],
        text: str,
        anchor: str = "lm",
        colour: Colour = INK,
    ) -> None:
        """Write text; `anchor` is Pillow's."""
        self.pen.text(at, text, fill=colour, font=_font(), anchor=anchor, align="center")


def tile(path: Path) -> Image.Image:
    """Read an image of a person at tile size; ReportError names a file that is not readable."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB").resize(TILE, Image.Resampling.BICUBIC)
    except OSError as error:
        raise ReportError(f"{path}: not readable as an image ({error}); run `dvc repro`") from None


def overlay(image: Image.Image, values: NDArray[np.float32]) -> Image.Image:
    """Lay a map (h, w) in [0, 1] over an image: up-sampled bilinearly (A12), in colours."""
    size = Image.fromarray(values).resize(TILE, Image.Resampling.BILINEAR)
    # The map prevails: a bright shirt must not read as a high value.
    return Image.blend(image.convert("L").convert("RGB"), coloured(np.asarray(size)), 0.7)


def coloured(values: NDArray[np.float32]) -> Image.Image:
    """Return values in [0, 1] in a perceptually even scale of colours."""
    rgb = mpl.colormaps["inferno"](np.clip(values, 0, 1), bytes=True)[..., :3]
    return Image.fromarray(np.ascontiguousarray(rgb))


@cache
def _font() -> ImageFont.FreeTypeFont:
    # matplotlib's own: the same letters, ticks and crosses on every machine.
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf"), 12)
