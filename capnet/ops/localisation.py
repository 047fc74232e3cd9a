"""Fig. 2 in numbers: how well a map finds the person whose mask is known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def upsampled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (N, h, w) at the image's (H, W), bilinear, align_corners=False (A12) -> (N, H, W)."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]


def pixel_average_precision(scores: Tensor, masks: Tensor) -> float:
    """Area under precision and recall over the pixels of all images together.

    scores (N, H, W), masks (N, H, W) bool -> [0, 1]; chance is the mean of the masks. Equal scores
    are one threshold, so their order does not matter.
    """
    order = scores.flatten().argsort(descending=True)
    score, hit = scores.flatten()[order], masks.flatten()[order].double()
    last_of_tie = torch.cat([score[1:] != score[:-1], torch.ones(1, dtype=torch.bool)])
    hits = hit.cumsum(0)[last_of_tie]
    precision = hits / (last_of_tie.nonzero()[:, 0] + 1)
    gained = torch.diff(hits, prepend=hits.new_zeros(1))
    return float((precision * gained).sum() / hits[-1].clamp(min=1))


def energy_in_mask(scores: Tensor, masks: Tensor) -> Tensor:
    """Share of a map's total that lies on the person; chance is the mean of the mask.

    scores (N, H, W) >= 0, masks (N, H, W) bool -> (N,) in [0, 1].
    """
    return (scores * masks).sum((1, 2)) / scores.sum((1, 2)).clamp(min=1e-12)


def peak_in_mask(scores: Tensor, masks: Tensor) -> Tensor:
    """Whether the first of a map's largest points lies on the person: (N, H, W) x 2 -> (N,) bool.

    Chance is the mean of the mask.
    """
    return masks.flatten(1).gather(1, scores.flatten(1).argmax(1, keepdim=True))[:, 0]
