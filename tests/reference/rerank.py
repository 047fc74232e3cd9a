"""k-reciprocal re-ranking, dense over all images (Zhong et al., CVPR 2017; R28)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def rerank_reference(
    query: ArrayLike,
    gallery: ArrayLike,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
) -> Array:
    """Re-ranked distance (1 - lambda) * Jaccard + lambda * original, (Q, D), (G, D) -> (Q, G).

    Original is the squared Euclidean distance among all N = Q + G images, the row of each image
    divided by its largest value. Neighbours at equal distance follow the order of the images.
    """
    query = np.asarray(query, dtype=np.float64)
    gallery = np.asarray(gallery, dtype=np.float64)
    images = np.concatenate([query, gallery])
    original = _original_distance(images)
    order = np.argsort(original, axis=1, kind="stable")
    encoding = _encoding(original, order, k1)
    if k2 != 1:
        encoding = _query_expansion(encoding, order, k2)
    result = np.empty((len(query), len(gallery)))
    for q in range(len(query)):
        for g in range(len(gallery)):
            other = len(query) + g
            shared = np.minimum(encoding[q], encoding[other]).sum()
            # Rows sum to 1, so the sum of the maxima (the union) is 2 minus that of the minima.
            jaccard = 1 - shared / (2 - shared)
            result[q, g] = (1 - lambda_value) * jaccard + lambda_value * original[q, other]
    return result


def _original_distance(images: Array) -> Array:
    """Squared Euclidean distances (N, N), each row divided by its maximum.

    The published protocol divides the columns and transposes; D is symmetric, so that is the same.
    """
    total = len(images)
    original = np.empty((total, total))
    for i in range(total):
        for j in range(total):
            original[i, j] = ((images[i] - images[j]) ** 2).sum()
    for i in range(total):
        farthest = original[i].max()
        if farthest > 0:
            original[i] /= farthest
    return original


def reciprocal_neighbours(order: NDArray[np.int64], i: int, k: int) -> set[int]:
    """R(i, k): the images among i's k nearest that have i among their own k nearest.

    order (N, N) is each image's ranking of all images; an image counts itself besides the k.
    """
    return {int(j) for j in order[i, : k + 1] if i in order[j, : k + 1]}


def expanded_neighbours(order: NDArray[np.int64], i: int, k1: int) -> set[int]:
    """R*(i, k1): R(i, k1) joined by the R(j, k1 / 2) of its members that mostly lie inside it.

    Mostly: more than two thirds of R(j, k1 / 2) lie in R(i, k1), the set before any joining. Half
    of an odd k1 is rounded to even, as in the published protocol.
    """
    reciprocal = reciprocal_neighbours(order, i, k1)
    expanded = set(reciprocal)
    for j in reciprocal:
        candidate = reciprocal_neighbours(order, j, round(k1 / 2))
        if 3 * len(candidate & reciprocal) > 2 * len(candidate):
            expanded |= candidate
    return expanded


def _encoding(original: Array, order: NDArray[np.int64], k1: int) -> Array:
    """V (N, N): exp(-original) on the expanded neighbours, zero elsewhere; rows sum to 1."""
    encoding = np.zeros_like(original)
    for i in range(len(original)):
        neighbours = sorted(expanded_neighbours(order, i, k1))
        weights = np.exp(-original[i, neighbours])
        encoding[i, neighbours] = weights / weights.sum()
    return encoding


def _query_expansion(encoding: Array, order: NDArray[np.int64], k2: int) -> Array:
    """Each image's encoding averaged over its k2 nearest images, itself included."""
    expanded = np.empty_like(encoding)
    for i in range(len(encoding)):
        expanded[i] = encoding[order[i, :k2]].mean(axis=0)
    return expanded
