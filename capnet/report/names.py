"""How a reader knows the variants, the data sets and the numbers."""

from __future__ import annotations

from capnet.report import paper

VARIANTS = {
    "baseline": "Baseline",
    "s": "S",
    "c": "C",
    "s_then_c": "S-C",
    "c_then_s": "C-S",
    "s_times_c": "S*C",
    "cam_loss_only": "CAM loss only",
}
DATASETS = {
    **paper.DATASETS,
    "cuhk03_np": "CUHK03-NP",
    "synthetic": "Synthetic (drawn)",
}


def variant_name(variant: str) -> str:
    """Name a variant as the paper does; a control by its form and what it changes.

    s_times_c_unsupervised becomes "S*C (unsupervised)".
    """
    if variant in VARIANTS:
        return VARIANTS[variant]
    for form in sorted(VARIANTS, key=len, reverse=True):
        if variant.startswith(f"{form}_"):
            return f"{VARIANTS[form]} ({_words(variant.removeprefix(form))})"
    words = _words(variant)
    return words[:1].upper() + words[1:]


def dataset_name(dataset: str) -> str:
    """Name a data set as the field does."""
    return DATASETS.get(dataset, dataset)


def seeds_words(count: int) -> str:
    """Say how many seeds there are, and what one cannot give."""
    return "1 seed, no spread" if count == 1 else f"{count} seeds"


def enumerate_words(words: list[str]) -> str:
    """Join words as a sentence does: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _words(name: str) -> str:
    return name.replace("_", " ").strip()
