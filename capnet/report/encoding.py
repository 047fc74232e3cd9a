"""Pictures as bytes for a folder, and as addresses that hold the picture itself for the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from urllib.parse import quote

from PIL import Image

QUALITIES = (75, 60, 45)


def png(picture: Image.Image) -> bytes:
    """Return a picture as PNG with 256 colours, dithered: a third of the size, alike to the eye."""
    palette = picture.quantize(256)
    file = io.BytesIO()
    picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(
        file, format="png", optimize=True
    )
    return file.getvalue()


def svg_address(svg: str) -> str:
    """Return a drawing as a data address."""
    return f"data:image/svg+xml,{quote(svg, safe=',;:=/()')}"


def webp_addresses(pictures: Sequence[Image.Image], budget: int) -> list[str]:
    """Return pictures as data addresses, in the best quality that fits `budget` letters together.

    The lowest quality is taken as it comes, so very many pictures may exceed the budget.
    """
    addresses: list[str] = []
    for quality in QUALITIES:
        addresses = [_webp_address(picture, quality) for picture in pictures]
        if sum(map(len, addresses)) <= budget:
            break
    return addresses


def _webp_address(picture: Image.Image, quality: int) -> str:
    file = io.BytesIO()
    picture.save(file, format="webp", quality=quality)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
