"""Every path of the pipeline, relative to the project's root, and the name of a run."""

from pathlib import Path

PARAMS = Path("params.yaml")
RUNS = Path("reports/runs")
FIGURES = Path("reports/figures")  # drawn people only; committed
PRIVATE_FIGURES = Path("data/figures")  # real people; never committed
TABLES = Path("reports/tables")
PAGE = Path("reports/index.html")
LOCKS = Path("reports/code")


def run_key(dataset: str, variant: str, seed: int) -> str:
    """Return the name of one cell of the grid, as DVC's matrix joins it."""
    return f"{dataset}-{variant}-{seed}"


def prepared(dataset: str) -> Path:
    """Return the folder that `prepare` owns: manifest.csv, and a drawn set's images and masks."""
    return Path("data/prepared") / dataset


def manifest(dataset: str) -> Path:
    """Return the data set's frozen list of images."""
    return prepared(dataset) / "manifest.csv"


def card(dataset: str) -> Path:
    """Return the data set's counts, as JSON."""
    return Path("reports/data") / f"{dataset}.json"


def model(key: str) -> Path:
    """Return the folder of a run's trained networks: model.pt, and epoch_NNN.pt where kept."""
    return Path("models") / key


def work(key: str) -> Path:
    """Return the folder in which an unfinished training keeps its state; not an output."""
    return Path("models/work") / key


def results(key: str) -> Path:
    """Return a run's small results: history.csv, training.json, metrics.json and others."""
    return RUNS / key


def transferred(key: str, target: str) -> Path:
    """Return a run's scores on another data set than its own."""
    return results(key) / f"transfer_{target}.json"


def evaluated(key: str) -> Path:
    """Return a run's material for figures and comparisons, which may name or show people."""
    return Path("data/evaluated") / key


def by_query(key: str) -> Path:
    """Return a run's scores of each query."""
    return evaluated(key) / "queries.csv"
