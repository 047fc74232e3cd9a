"""The six forms of Table I: which of the two attentions multiply a feature map, and in what order.

B, C, H, W: images, channels, height and width of the feature map. Everything here runs in at least
float32, also under autocast (N4).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from capnet.forms import Form
from capnet.ops.attention_maps import (
    channel_attention,
    dot_and_cosine,
    gaussian_of_angle,
    spatial_attention,
)
from capnet.ops.cam import target_map


class Attended(NamedTuple):
    """A map X and the weights of its attended form Y = X A_s A_c, which need not exist in memory.

    What a training asks of Y are sums over it, and those can be had from X. Each pass over a map of
    this size costs, and so does each tensor that autograd keeps.
    """

    source: Tensor  # (B, C, H, W), X
    form: Form
    residual: bool  # whether X is added
    spatial: Tensor  # (B, 1, H, W), the A_s that L_a supervises
    channel: Tensor | None  # (B, C, 1, 1), A_c, or None where no channel is weighted
    pooled: Tensor  # (B, C), mean of Y over H x W

    @property
    def features(self) -> Tensor:
        """Y itself (B, C, H, W)."""
        y = self.source
        if self.form == "baseline":
            return y
        if self.form != "c":
            y = y * self.spatial
        if self.channel is not None:
            y = y * self.channel
        return self.source + y if self.residual else y

    def target_map(self, weight: Tensor) -> Tensor:
        """Return the CAM of Y (R4) for weights (B, C) of each image's own identity."""
        if self.form == "baseline":
            return target_map(self.source, weight)
        own = weight if self.channel is None else weight * self.channel.flatten(1)
        maps = target_map(self.source, own)
        if self.form != "c":
            maps = maps * self.spatial
        return target_map(self.source, weight) + maps if self.residual else maps


def attend(
    features: Tensor, form: Form, *, sigma: float = math.pi, residual: bool = False
) -> Attended:
    """Weight a feature map by spatial and channel attention in one of the forms of R18.

    features (B, C, H, W), >= 0 after a ReLU (A2). `s_times_c` takes both weights from the same map
    (A4); the sequential forms recompute A_s on what the first module returns (A5); `c` and
    `baseline` compute A_s without multiplying it (A6, A31). With `residual`, the input is added.
    The result is float32 or wider.
    """
    with torch.autocast(features.device.type, enabled=False):
        x = features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
        spatial = spatial_attention(x)
        channel = None
        if form == "baseline":
            pooled = _pooled(x)
        elif form == "s":
            pooled = _pooled(x * spatial)
        elif form == "c":
            channel = channel_attention(x, spatial, sigma)
            pooled = _pooled(x) * channel
        elif form == "s_times_c":
            dot, cosine = dot_and_cosine(x, spatial)  # <a_s, x_i> is what pooling x A_s needs too
            channel = gaussian_of_angle(cosine, sigma)
            pooled = dot / spatial[0].numel() * channel
        elif form == "s_then_c":
            y = x * spatial
            channel = channel_attention(y, spatial_attention(y), sigma)
            pooled = _pooled(y) * channel
        elif form == "c_then_s":
            channel = channel_attention(x, spatial, sigma)
            y = x * channel
            spatial = spatial_attention(y)
            pooled = _pooled(y * spatial)
        else:
            raise ValueError(f"form {form!r} is none of the paper's: {Form}")
        if residual and form != "baseline":
            pooled = pooled + _pooled(x)
        return Attended(x, form, residual, spatial, channel, pooled.flatten(1))


def _pooled(features: Tensor) -> Tensor:
    return features.mean((2, 3), keepdim=True)
