"""Identity and triplet losses, and their sum with the attention loss (eq. 6)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from capnet.ops.cam import attention_loss

__all__ = ["attention_loss", "identity_loss", "triplet_loss"]


def identity_loss(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross entropy over the training identities (A18): logits (B, K), labels (B,) -> scalar."""
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)


def triplet_loss(features: Tensor, labels: Tensor, *, margin: float = 0.3) -> Tensor:
    """Batch-hard triplet loss (A15): each image against its farthest mate and nearest stranger.

    features (B, D), labels (B,) -> scalar, the mean of max(0, d_ap - d_an + margin) with Euclidean
    distances. An image without a stranger in the batch costs nothing.
    """
    distance = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    same = labels[:, None] == labels
    farthest_mate = distance.masked_fill(~same, 0).amax(1)
    nearest_stranger = distance.masked_fill(same, torch.inf).amin(1)
    return F.relu(farthest_mate - nearest_stranger + margin).mean()
