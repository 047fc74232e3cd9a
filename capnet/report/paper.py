"""What the paper prints: its tables, data sets and settings (R20-R28), quoted and never run with.

A quotation for the page to compare with; what a run uses stands in params.yaml and nowhere else.
"""

from __future__ import annotations

from math import pi

Score = tuple[float, float]  # rank-1 and mAP, per cent
MARKET, DUKE, MSMT = "market1501", "dukemtmc", "msmt17"
DATASETS = {MARKET: "Market-1501", DUKE: "DukeMTMC", MSMT: "MSMT17"}


def _scores(*numbers: float) -> dict[str, Score]:
    """Name the pairs of a printed row, in the order of its columns; no third pair: not given."""
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return dict(zip(DATASETS, pairs, strict=False))


TABLE_1 = {
    "baseline": _scores(93.2, 82.6, 88.1, 75.3, 76.1, 51.2),
    "s": _scores(94.2, 84.2, 89.2, 77.5, 77.5, 52.6),
    "c": _scores(94.4, 84.3, 89.0, 77.7, 78.0, 53.0),
    "s_then_c": _scores(94.0, 84.5, 89.0, 77.1, 78.3, 52.7),
    "c_then_s": _scores(93.9, 84.7, 88.8, 77.4, 78.5, 52.7),
    "s_times_c": _scores(94.7, 85.1, 89.9, 78.8, 79.3, 53.7),
}

TABLE_2 = {
    "HA-CNN": _scores(91.2, 75.7, 80.5, 63.8),
    "CASN": _scores(94.4, 82.8, 87.7, 73.7),
    "AANet": _scores(93.9, 83.4, 87.7, 74.3),
    "IANet": _scores(94.4, 83.1, 87.1, 73.4, 75.5, 46.8),
    "PCB+RPP": _scores(93.8, 81.6, 83.3, 69.2, 68.2, 40.4),
    "VPM": _scores(93.0, 80.8, 83.6, 72.6),
    "Li et al.": _scores(90.2, 82.7, 81.0, 78.0),
    "ResNet50+CE-SAN": _scores(94.1, 84.1, 84.8, 74.2, 77.3, 55.0),
    "PFFN": _scores(95.1, 84.6, 88.9, 78.7, 72.9, 48.2),
    "CAPNet (the paper)": _scores(94.7, 85.1, 89.9, 78.8, 79.3, 53.7),
}

TABLE_2_RERANKED = {
    "Wang et al. (parameter-free)": _scores(94.7, 91.7, 89.0, 85.9),
    "CAPNet (the paper)": _scores(95.1, 92.7, 90.1, 86.4),
}

SLIPS = (
    "The text gives the re-ranked gain over Wang et al. on Market-1501 as 0.3 points of rank-1; "
    "its own table says 95.1 - 94.7 = 0.4.",
    "ABD-Net (95.6 / 88.3, 89.0 / 78.6, 82.3 / 60.8 on the three data sets) is cited by the paper "
    "but left out of its Table II; it is above CAPNet on Market-1501 and MSMT17.",
    "Every number of the paper is a single run; no spread over seeds is given.",
    "“Fine-tune the classifier parameters” is read as training the whole network.",
)

# Wrong results among the first ten in Fig. 3, for the one query that the paper shows.
FIG_3_WRONG = {"baseline": 8, "s": 3, "c": 1, "s_times_c": 0}

# R27: train images, train identities, query images.
SIZES = {MARKET: (12936, 751, 3368), DUKE: (16522, 702, 2228), MSMT: (32621, 1041, 11659)}

# What the paper states of its training (R1, R2, R12, R16, R21-R24): dotted key, words, value.
SETTINGS: tuple[tuple[str, str, object], ...] = (
    ("model.backbone", "backbone", "resnet50"),
    ("model.last_stride", "stride of the last stage", 1),
    ("model.height", "input height", 384),
    ("model.width", "input width", 128),
    ("model.attention.sigma", "sigma of the channel weight", pi),
    ("train.epochs", "epochs", 60),
    ("train.ids_per_batch", "identities per batch", 4),
    ("train.images_per_id", "images per identity", 8),
    ("train.learning_rate", "learning rate", 3.5e-4),
    ("train.weight_decay", "weight decay", 5e-4),
    ("train.warmup_epochs", "warm-up epochs", 10),
    ("train.warmup_factor", "first learning rate, as a share", 0.01),
    ("train.decay_epochs", "decay after epochs", [30, 50]),
    ("train.decay_factor", "decay", 0.1),
    ("train.attention_weight", "weight of the attention loss", 0.01),
)

UNSTATED = (
    "augmentation, label smoothing, triplet margin and mining, initialisation, test feature, "
    "distance, seeds and how the model was selected"
)
