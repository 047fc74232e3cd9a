"""How a camera renders what it sees: colour cast, exposure, gamma, blur, resolution, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from capnet.data.drawing.person import between
from capnet.data.drawing.place import Style, choose_style


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera's view and rendering; `tilt` in [0, 1] looks down, `detail` is a share."""

    style: Style
    tilt: float
    gains: tuple[float, ...]
    gamma: float
    lift: int
    saturation: float
    blur: float
    detail: float
    noise: int


def install(rng: np.random.Generator, order: int, shift: float) -> Camera:
    """Draw camera number `order` of a data set; `shift` in [0, 1] scales how odd it is.

    Casts turn by the golden angle and gammas alternate from camera to camera, so that any few
    cameras differ, whatever the seed.
    """
    style = choose_style(rng, order)
    tint = math.radians(order * 137.5 + between(rng, -25, 25))
    exponent = (-1) ** order * between(rng, 0.15, 0.6)
    return Camera(
        style=style,
        tilt=0.9 * (0.5 - style.horizon) + 0.05,
        gains=tuple(
            math.pow(2.0, share * shift * math.cos(tint - math.radians(turn)))
            for share, turn in ((0.4, 0), (0.2, 120), (0.4, 240))
        ),
        gamma=math.pow(2.0, exponent * shift),
        lift=round(between(rng, 0, 50 * shift)),
        saturation=1 - between(rng, 0.0, 0.55 * shift),
        blur=between(rng, 0.0, 0.9 * shift),
        detail=1 - between(rng, 0.0, 0.55 * shift),
        noise=round(between(rng, 2, 4 + 8 * shift)),
    )


def expose(rng: np.random.Generator, picture: Image.Image, camera: Camera) -> Image.Image:
    """Return the picture as the camera records it; light, blur and noise vary a little."""
    if camera.blur:
        picture = picture.filter(ImageFilter.GaussianBlur(camera.blur))
    detail = camera.detail * between(rng, 0.85, 1.0)
    small = (round(picture.width * detail), round(picture.height * detail))
    if small != picture.size:
        back = picture.size
        picture = picture.resize(small, Image.Resampling.BILINEAR)
        picture = picture.resize(back, Image.Resampling.BILINEAR)
    picture = _saturate(picture, camera.saturation)
    light = 2.0 ** (int(rng.integers(-20, 21)) / 90)
    picture = picture.point([v for gain in camera.gains for v in _curve(camera, gain * light)])
    return _grain(picture, camera.noise, rng)


@lru_cache(maxsize=4096)  # 41 lights of three channels of 25 cameras
def _curve(camera: Camera, gain: float) -> list[int]:
    """Return the 256 output values of one channel."""
    span = 255 - camera.lift
    return [
        camera.lift + round(span * min(1.0, gain * math.pow(value / 255, camera.gamma)))
        for value in range(256)
    ]


def _saturate(picture: Image.Image, amount: float) -> Image.Image:
    weights = (0.299, 0.587, 0.114)
    matrix: list[float] = []
    for channel in range(3):
        row = [(1 - amount) * weight for weight in weights]
        row[channel] += amount
        matrix += [*row, 0.0]
    return picture.convert("RGB", tuple(matrix))


def _grain(picture: Image.Image, level: int, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(picture, dtype=np.int16)
    first, second = rng.integers(-level, level + 1, size=(2, *pixels.shape), dtype=np.int16)
    return Image.fromarray(np.clip(pixels + first + second, 0, 255).astype(np.uint8))
