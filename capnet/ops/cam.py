"""The class activation map of an image's own identity, and what it costs to disagree with it."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from capnet.ops.attention_maps import EPSILON, normalise


def target_map(features: Tensor, weight: Tensor) -> Tensor:
    """One channel of the 1x1 convolution per image: M_t = sum_c w_tc X_c (R4).

    features (B, C, H, W), weight (B, C) of each image's own identity -> (B, 1, H, W). Equal to that
    channel of `class_maps`, without the other K - 1.
    """
    return torch.einsum("bchw,bc->bhw", features, weight)[:, None]


def class_maps(features: Tensor, weight: Tensor) -> Tensor:
    """Maps of all identities (R3): the reference path, and for looking at any identity.

    features (B, C, H, W), weight (K, C) -> (B, K, H, W).
    """
    return F.conv2d(features, weight[:, :, None, None])


def attention_loss(
    cam: Tensor, spatial: Tensor, size: tuple[int, int], *, normalised: bool = True
) -> Tensor:
    """Mean squared difference of M_t and A_s, both up-sampled to the image (eq. 5, R15).

    cam, spatial (B, 1, h, w); size: the image's (H, W) in pixels -> scalar. The CAM goes through
    eq. 2 first (A8; `normalised=False` leaves it raw). Images whose CAM is constant teach nothing
    and are left out of the mean (A28); 0 where none is left.

    Bilinear up-sampling (align_corners=False) is linear and separable, U_h D U_w^T, so the mean of
    its square is <D, G_h D G_w> with G = U^T U / size: no tensor of the image's size (A12).
    """
    difference = ((normalise(cam) if normalised else cam) - spatial).squeeze(1)  # (B, h, w)
    rows = _gram(difference.shape[1], size[0]).to(difference)
    columns = _gram(difference.shape[2], size[1]).to(difference)
    per_image = (difference * (rows @ difference @ columns)).sum((1, 2))
    varies = cam_varies(cam)
    return (per_image * varies).sum() / varies.sum().clamp(min=1)


def cam_varies(cam: Tensor) -> Tensor:
    """Tell which CAMs (B, 1, h, w) are not constant -> (B,) bool (A28)."""
    return (cam.amax((1, 2, 3)) - cam.amin((1, 2, 3))) > EPSILON


@lru_cache(maxsize=16)
def _gram(source: int, target: int) -> Tensor:
    """U^T U / target for the bilinear interpolation U of `source` to `target` points."""
    basis = torch.eye(source, dtype=torch.float64)[:, None]
    upsample = F.interpolate(basis, size=target, mode="linear", align_corners=False)[:, 0]
    return upsample @ upsample.T / target
