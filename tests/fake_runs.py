"""A project's folder with the contract's files, as if the stages had run, and a store for them."""

import csv
import itertools
import json
from pathlib import Path

import pytest

SETTINGS = {
    "model": {
        "backbone": "resnet10",
        "weights": None,
        "last_stride": 1,
        "attention": {"sigma": 3.141592653589793, "residual": False},
    },
    "train": {"epochs": 4, "learning_rate": 3.5e-4, "decay_epochs": [30, 50], "precision": "fp32"},
}
HISTORY = [
    {
        "epoch": epoch,
        "learning_rate": 1e-4 * epoch,
        "loss": 7.5 / epoch,
        "identity_loss": 4.25 / epoch,
        "accuracy": epoch / 10,
    }
    for epoch in (1, 2, 3, 4)
]
METRICS = {
    "protocol": [["distance", "Euclidean"]],
    "rank1": 0.75,
    "rank5": 0.875,
    "mAP": 0.5,
    "mINP": 0.125,
    "wrong_in_top10": 3.5,
    "reranked": {"rank1": 0.8, "mAP": 0.6, "mINP": 0.2},
    "counts": {"queries": 128, "gallery": 512},
    "localisation": {
        "chance": 0.3,
        "cam": {"pixel_ap": 0.55, "energy": 0.45, "pointing": 0.9},
        "spatial": {"pixel_ap": 0.65, "energy": 0.5, "pointing": 0.95},
    },
    "progress": [{"epoch": 2, "rank1": 0.5, "mAP": 0.25}, {"epoch": 4, "rank1": 0.75, "mAP": 0.5}],
}


def write_run(
    folder: Path,
    variant: str = "s",
    seed: int = 1,
    *,
    fingerprint: str = "f1",
    history: list[dict] = HISTORY,
    metrics: dict | None = METRICS,
) -> Path:
    """Write training.json, history.csv and, unless None, metrics.json; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    training = {
        "dataset": "synthetic",
        "variant": variant,
        "seed": seed,
        "form": variant,
        "settings": SETTINGS,
        "fingerprint": fingerprint,
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:14:05+00:00",
        "seconds": 590.5,
        "images_per_second": 42.25,
        "device": "CPU",
        "precision": "fp32",
        "processes": 2,
        "git": {"commit": "c0ffee", "dirty": False},
    }
    (folder / "training.json").write_text(json.dumps(training))
    with (folder / "history.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, HISTORY[0])
        writer.writeheader()
        writer.writerows(history)
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


SEEDS = itertools.count(1000)  # tests share one store: each takes cells of its own

# MLflow 3.17's own use of SQLAlchemy 2.1
MLFLOW_WARNINGS = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)


def shared_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URI of one SQLite store for all tests: making one takes seconds."""
    folder = tmp_path_factory.getbasetemp() / "a store"
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}"
