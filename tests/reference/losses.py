"""Class activation maps, the three losses and the learning rate (eqs. 5-6, A8, A12-A20, A28)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.reference.attention import normalise

Array = NDArray[np.float64]


def cam(
    y: ArrayLike, weight: ArrayLike, labels: Sequence[int], scale: ArrayLike | None = None
) -> Array:
    """M_t = sum_c weight[t, c] scale[c] Y_c, the map of each image's own identity (R4, A11).

    y (B, C, H, W), weight (K, C), labels (B,) in [0, K), scale (C,) or None for ones
    -> (B, 1, H, W).
    """
    y = np.asarray(y, dtype=np.float64)
    weight = np.asarray(weight, dtype=np.float64)
    images, channels, height, width = y.shape
    scale = np.ones(channels) if scale is None else np.asarray(scale, dtype=np.float64)
    result = np.zeros((images, 1, height, width))
    for b in range(images):
        for c in range(channels):
            result[b, 0] += weight[labels[b], c] * scale[c] * y[b, c]
    return result


def full_class_maps(y: ArrayLike, weight: ArrayLike) -> Array:
    """The 1x1 convolution of every identity without bias (R3): y, weight (K, C) -> (B, K, H, W)."""
    y = np.asarray(y, dtype=np.float64)
    weight = np.asarray(weight, dtype=np.float64)
    images, channels, height, width = y.shape
    result = np.zeros((images, len(weight), height, width))
    for b in range(images):
        for k in range(len(weight)):
            for c in range(channels):
                result[b, k] += weight[k, c] * y[b, c]
    return result


def bilinear_upsample(m: ArrayLike, size: tuple[int, int]) -> Array:
    """Bilinear interpolation with align_corners=False (A12): m (..., H, W) -> (..., *size).

    Pixels are unit squares and both images cover the same area, so output pixel i has its centre
    at (i + 1/2) * in / out on the input; beyond the outermost centres the edge is repeated.
    """
    m = np.asarray(m, dtype=np.float64)
    height, width = m.shape[-2:]
    result = np.empty((*m.shape[:-2], *size))
    for i in range(size[0]):
        top, bottom, down = _between(i, height, size[0])
        for j in range(size[1]):
            left, right, along = _between(j, width, size[1])
            upper = (1 - along) * m[..., top, left] + along * m[..., top, right]
            lower = (1 - along) * m[..., bottom, left] + along * m[..., bottom, right]
            result[..., i, j] = (1 - down) * upper + down * lower
    return result


def _between(position: int, in_length: int, out_length: int) -> tuple[int, int, float]:
    """The two input pixels around an output pixel's centre and the second one's share."""
    centre = (position + 0.5) * in_length / out_length - 0.5
    centre = min(max(centre, 0.0), in_length - 1.0)
    first = math.floor(centre)
    return first, min(first + 1, in_length - 1), centre - first


def attention_loss(m: ArrayLike, a_s: ArrayLike, size: tuple[int, int]) -> float:
    """L_a = mean over the image's pixels of (N(M_t) - A_s)^2, literally (eq. 5, A8, A12, A28).

    m, a_s (B, 1, H, W); size = (height, width) of the image. M_t goes through N before both maps
    are up-sampled. The mean is over the images whose M_t is not constant; 0.0 if none is left.
    """
    m = np.asarray(m, dtype=np.float64)
    a_s = np.asarray(a_s, dtype=np.float64)
    per_image = []
    for b in range(len(m)):
        if m[b].min() == m[b].max():
            continue
        teacher = bilinear_upsample(normalise(m[b, 0]), size)
        student = bilinear_upsample(a_s[b, 0], size)
        total = 0.0
        for h in range(size[0]):
            for w in range(size[1]):
                total += (teacher[h, w] - student[h, w]) ** 2
        per_image.append(total / (size[0] * size[1]))
    return sum(per_image) / len(per_image) if per_image else 0.0


def identity_loss(logits: ArrayLike, labels: Sequence[int], smoothing: float = 0.0) -> float:
    """Mean cross entropy; the target is (1 - smoothing) one-hot + smoothing / K (A18).

    logits (B, K), labels (B,) in [0, K).
    """
    logits = np.asarray(logits, dtype=np.float64)
    images, classes = logits.shape
    total = 0.0
    for b in range(images):
        peak = logits[b].max()
        log_sum = peak + math.log(sum(math.exp(v - peak) for v in logits[b]))
        for k in range(classes):
            target = smoothing / classes + (1 - smoothing) * (k == labels[b])
            total -= target * (logits[b, k] - log_sum)
    return float(total / images)


def triplet_loss(features: ArrayLike, labels: Sequence[int], margin: float = 0.3) -> float:
    """Batch-hard triplet loss, mean over anchors of max(0, d_ap - d_an + margin) (A15).

    features (B, D), labels (B,); Euclidean distance. d_ap is the farthest image of the anchor's
    identity (0 when the anchor is alone: the image itself), d_an the nearest of any other.
    ValueError if the batch holds one identity only.
    """
    features = np.asarray(features, dtype=np.float64)
    total = 0.0
    for a in range(len(features)):
        positives: list[float] = []
        negatives: list[float] = []
        for other in range(len(features)):
            distance = math.sqrt(sum((features[a] - features[other]) ** 2))
            (positives if labels[other] == labels[a] else negatives).append(distance)
        if not negatives:
            raise ValueError("triplet_loss needs at least two identities in the batch")
        total += max(0.0, max(positives) - min(negatives) + margin)
    return total / len(features)


def learning_rate(
    epoch: int,
    base: float = 3.5e-4,
    warmup_factor: float = 0.01,
    warmup_epochs: int = 10,
    milestones: Sequence[int] = (30, 50),
    decay: float = 0.1,
) -> float:
    """lr of a 0-based epoch: linear warm-up from warmup_factor * base, then steps (A20)."""
    if epoch < warmup_epochs:
        progress = epoch / warmup_epochs
        rate = base * (warmup_factor * (1 - progress) + progress)
    else:
        rate = base
    for milestone in milestones:
        if epoch >= milestone:
            rate *= decay
    return rate
