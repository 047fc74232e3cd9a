"""The parameter-free attention: eqs. 1-4 and the six forms of Table I.

B, C, H, W: images, channels, height and width of the feature map. Everything here runs in at least
float32, also under autocast (N4).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from capnet.forms import Form

EPSILON = 1e-12  # a map whose range is not above this is constant (N5, N7)


class Attended(NamedTuple):
    """What `attend` returns: the features, and the maps that made them."""

    features: Tensor  # (B, C, H, W)
    spatial: Tensor  # (B, 1, H, W), the A_s that L_a supervises
    channel: Tensor | None  # (B, C, 1, 1), or None where no channel is weighted


def attend(
    features: Tensor, form: Form, *, sigma: float = math.pi, residual: bool = False
) -> Attended:
    """Weight a feature map by spatial and channel attention in one of the forms of R18.

    features (B, C, H, W), >= 0 after a ReLU (A2). `s_times_c` takes both weights from the same map
    (A4); the sequential forms recompute A_s on what the first module returns (A5); `c` and
    `baseline` compute A_s without multiplying it (A6, A31). With `residual`, the input is added.
    The result is float32 or wider and has the shape of the input.
    """
    with torch.autocast(features.device.type, enabled=False):
        x = features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
        spatial = spatial_attention(x)
        channel = None
        if form == "baseline":
            return Attended(x, spatial, None)
        if form == "s":
            y = x * spatial
        elif form == "c":
            channel = channel_attention(x, spatial, sigma)
            y = x * channel
        elif form == "s_times_c":
            channel = channel_attention(x, spatial, sigma)
            y = x * (spatial * channel)
        elif form == "s_then_c":
            y = x * spatial
            channel = channel_attention(y, spatial_attention(y), sigma)
            y = y * channel
        elif form == "c_then_s":
            channel = channel_attention(x, spatial, sigma)
            y = x * channel
            spatial = spatial_attention(y)
            y = y * spatial
        else:
            raise ValueError(f"form {form!r} is none of the paper's: {Form}")
        return Attended(x + y if residual else y, spatial, channel)


def spatial_attention(features: Tensor) -> Tensor:
    """Where to look: N[N(mean over channels) + N(max over channels)] (eq. 1, R7-R8).

    features (B, C, H, W) -> (B, 1, H, W) in [0, 1].
    """
    mean = features.mean(1, keepdim=True)
    peak = features.amax(1, keepdim=True)
    return normalise(normalise(mean) + normalise(peak))


def normalise(maps: Tensor) -> Tensor:
    """Stretch each map over H x W to [0, 1], both ends touched (eq. 2, A3); a constant one is 1.

    maps (..., H, W) -> (..., H, W). Ones switch the attention off for that image, zeros would
    erase it (N5).
    """
    low = maps.amin((-2, -1), keepdim=True)
    span = maps.amax((-2, -1), keepdim=True) - low
    varies = span > EPSILON
    return torch.where(varies, (maps - low) / torch.where(varies, span, 1), 1)


def channel_attention(features: Tensor, spatial: Tensor, sigma: float = math.pi) -> Tensor:
    """Weight of each channel by its angle to the spatial map (eqs. 3-4, R10-R12).

    features (B, C, H, W), spatial (B, 1, H, W) in [0, 1] -> (B, C, 1, 1): in [exp(-1/8), 1] for
    sigma = pi and features >= 0, down to exp(-1/2) for signed ones (A2, A7). A channel of zeros
    has cosine 0 and a finite gradient (N3).
    """
    x = features.flatten(2)  # (B, C, HW)
    a = spatial.flatten(2)  # (B, 1, HW)
    dot = (x * a).sum(2)
    squares = x.square().sum(2) * a.square().sum(2)
    cosine = dot * torch.where(squares > 0, squares, 1).rsqrt()
    return gaussian_of_angle(cosine, sigma)[:, :, None, None]


def gaussian_of_angle(cosine: Tensor, sigma: float) -> Tensor:
    """exp(-t^2 / (2 sigma^2)) of the angle t = acos(cosine) (eq. 4), with a finite gradient.

    Rounding can push a cosine beyond 1 (N1), where acos has no value and, at 1, no derivative. The
    composite is smooth there: d/dcosine = value / (sigma^2 sinc(t / pi)) (N2).
    """
    return _GaussianOfAngle.apply(cosine, sigma)  # type: ignore[no-any-return, no-untyped-call]


class _GaussianOfAngle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, cosine: Tensor, sigma: float) -> Tensor:
        angle = cosine.clamp(-1, 1).acos()
        weight = torch.exp(angle.square() / (-2 * sigma**2))
        ctx.save_for_backward(angle, weight)
        ctx.sigma = sigma
        return weight

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, None]:
        angle, weight = ctx.saved_tensors
        # At the angle pi, which only signed features reach, the derivative has a pole: bound it.
        slope = torch.sinc(angle / math.pi).clamp(min=1e-3)
        return grad[0] * weight / (ctx.sigma**2 * slope), None
