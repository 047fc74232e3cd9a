"""Spatial attention, channel attention and the six forms (eqs. 1-4, A2-A7, N1, N3, N5)."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def normalise(f: ArrayLike) -> Array:
    """N(f) = (f - min f) / (max f - min f) of each map by itself (eq. 2, A3).

    f (..., H, W) -> the same shape in [0, 1], touching 0 and 1 exactly; a constant map gives ones
    (N5). Constant means max == min: there is no epsilon here.
    """
    f = np.asarray(f, dtype=np.float64)
    result = np.empty_like(f)
    for index in np.ndindex(f.shape[:-2]):
        low, high = f[index].min(), f[index].max()
        result[index] = (f[index] - low) / (high - low) if high > low else 1.0
    return result


def spatial_attention(x: ArrayLike) -> Array:
    """A_s = N[N(Avg X) + N(Max X)], pooled over the channels (eq. 1).

    x (B, C, H, W) -> (B, 1, H, W) in [0, 1].
    """
    x = np.asarray(x, dtype=np.float64)
    images, _, height, width = x.shape
    average = np.empty((images, 1, height, width))
    maximum = np.empty((images, 1, height, width))
    for b in range(images):
        for h in range(height):
            for w in range(width):
                average[b, 0, h, w] = x[b, :, h, w].mean()
                maximum[b, 0, h, w] = x[b, :, h, w].max()
    return normalise(normalise(average) + normalise(maximum))


def channel_attention(x: ArrayLike, a_s: ArrayLike, sigma: float = math.pi) -> Array:
    """A_c = exp(-theta^2 / (2 sigma^2)) of the angle between each channel and A_s (eqs. 3-4).

    x (B, C, H, W), a_s (B, 1, H, W) -> (B, C, 1, 1). The cosine is 0 where either side is zero
    (N3) and is clipped to [-1, 1] (N1). A signed map may reach an angle of pi (A2).
    """
    x = np.asarray(x, dtype=np.float64)
    a_s = np.asarray(a_s, dtype=np.float64)
    images, channels = x.shape[:2]
    result = np.empty((images, channels, 1, 1))
    for b in range(images):
        for c in range(channels):
            theta = math.acos(_cosine(a_s[b, 0].ravel(), x[b, c].ravel()))
            result[b, c, 0, 0] = math.exp(-(theta**2) / (2 * sigma**2))
    return result


def _cosine(a: Array, b: Array) -> float:
    """<a, b> / (|a| |b|) of two vectors, clipped to [-1, 1]; 0 if either is zero (eq. 3)."""
    norms = math.sqrt(sum(v * v for v in a)) * math.sqrt(sum(v * v for v in b))
    if norms == 0:
        return 0.0
    return min(1.0, max(-1.0, float(sum(p * q for p, q in zip(a, b, strict=True))) / norms))


def attend(
    x: ArrayLike, form: str, sigma: float = math.pi, residual: bool = False
) -> tuple[Array, Array | None, Array | None]:
    """Attended features, A_s and A_c of one of the six forms (R18, A4-A6).

    x (B, C, H, W) -> features (B, C, H, W), spatial (B, 1, H, W) or None, channel (B, C, 1, 1) or
    None. spatial is the A_s that multiplies the features; for `c` it is computed but multiplies
    nothing (A6). None stands for what a form never computes: both for `baseline`, channel for `s`.
    residual adds the untouched x to the attended features; `baseline` attends to nothing and
    returns x either way.
    """
    x = np.asarray(x, dtype=np.float64)
    if form == "baseline":
        return x, None, None
    attended, spatial, channel = _attended(x, form, sigma)
    return (attended + x if residual else attended), spatial, channel


def _attended(x: Array, form: str, sigma: float) -> tuple[Array, Array, Array | None]:
    """The attended features without a residual, A_s and A_c of every form but the baseline."""
    a_s = spatial_attention(x)
    if form == "s":
        return x * a_s, a_s, None
    if form == "s_then_c":
        first = x * a_s
        a_c = channel_attention(first, spatial_attention(first), sigma)
        return first * a_c, a_s, a_c
    a_c = channel_attention(x, a_s, sigma)
    if form == "c":
        return x * a_c, a_s, a_c
    if form == "s_times_c":
        return x * a_s * a_c, a_s, a_c
    if form == "c_then_s":
        first = x * a_c
        second_a_s = spatial_attention(first)
        return first * second_a_s, second_a_s, a_c
    raise ValueError(f"unknown form {form!r}")
