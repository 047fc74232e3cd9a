"""Fig. 2 in numbers: how well a score map falls on the person mask."""

import math

import numpy as np
from numpy.typing import ArrayLike


def pixel_average_precision(scores: ArrayLike, masks: ArrayLike) -> float:
    """Average precision of the pixels of all images pooled: sum of precision * recall gained.

    scores, masks: equal shapes, masks 0 or 1 (or bool). Every distinct score is one threshold, so
    tied pixels enter together. nan if no pixel is positive.
    """
    flat_scores = np.asarray(scores, dtype=np.float64).ravel()
    flat_masks = np.asarray(masks).astype(bool).ravel()
    positives = int(flat_masks.sum())
    if positives == 0:
        return math.nan
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(flat_scores.tolist()), reverse=True):
        chosen = flat_scores >= threshold
        hits = int((chosen & flat_masks).sum())
        precision, recall = hits / int(chosen.sum()), hits / positives
        total += precision * (recall - recall_before)
        recall_before = recall
    return total


def energy_pointing(score: ArrayLike, mask: ArrayLike) -> float:
    """Share of the score that lies on the mask, sum(S G) / sum(S); chance is mean(G).

    score (H, W) >= 0, mask (H, W) of 0 and 1. nan if the score is zero everywhere.
    """
    score = np.asarray(score, dtype=np.float64)
    mask = np.asarray(mask, dtype=np.float64)
    everywhere = float(score.sum())
    return float((score * mask).sum()) / everywhere if everywhere > 0 else math.nan


def pointing_game(score: ArrayLike, mask: ArrayLike, tolerance_px: float = 0) -> bool:
    """Whether the highest pixel lies within tolerance_px (Euclidean, inclusive) of the mask.

    score, mask (H, W). Of several highest pixels the first in row-major order counts.
    """
    score = np.asarray(score, dtype=np.float64)
    mask = np.asarray(mask).astype(bool)
    top, left = divmod(int(score.argmax()), score.shape[1])
    return any(
        mask[h, w] and math.hypot(h - top, w - left) <= tolerance_px
        for h, w in np.ndindex(score.shape)
    )
