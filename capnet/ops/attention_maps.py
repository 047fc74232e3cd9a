"""The parameter-free attention: eqs. 1-4.

B, C, H, W: images, channels, height and width of the feature map.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

EPSILON = 1e-12  # a map whose range is not above this is constant (N5, N7)


def spatial_attention(features: Tensor) -> Tensor:
    """Where to look: N[N(mean over channels) + N(max over channels)] (eq. 1, R7-R8).

    features (B, C, H, W) -> (B, 1, H, W) in [0, 1].
    """
    mean, peak = _MeanAndPeak.apply(features)  # type: ignore[no-untyped-call]
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
    return gaussian_of_angle(dot_and_cosine(features, spatial)[1], sigma)


def dot_and_cosine(features: Tensor, spatial: Tensor) -> tuple[Tensor, Tensor]:
    """Return <a_s, x_i> and cos t_i (eq. 3), each (B, C, 1, 1)."""
    dot, squares = _DotAndSquares.apply(features, spatial)  # type: ignore[no-untyped-call]
    squares = squares * spatial.square().sum((2, 3), keepdim=True)
    return dot, dot * torch.where(squares > 0, squares, 1).rsqrt()


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


class _MeanAndPeak(torch.autograd.Function):
    """Mean and maximum over channels; channels that share the maximum share its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        peak = x.amax(1, keepdim=True)
        ctx.save_for_backward(x, peak)
        return x.mean(1, keepdim=True), peak

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        x, peak = ctx.saved_tensors
        top = torch.eq(x, peak, out=torch.empty_like(x))  # as floats: bools are slow to use
        share = grad[1] / top.sum(1, keepdim=True)
        return top.mul_(share).add_(grad[0] / x.shape[1])


class _DotAndSquares(torch.autograd.Function):
    """<a, x_i> and <x_i, x_i> of a map a (B, 1, H, W) and each channel x_i of x (B, C, H, W)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, a)
        return (x * a).sum((2, 3), keepdim=True), x.square().sum((2, 3), keepdim=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, Tensor]:
        x, a = ctx.saved_tensors
        to_a = (x * grad[0]).sum(1, keepdim=True)
        return (x * (2 * grad[1])).addcmul_(grad[0], a), to_a
