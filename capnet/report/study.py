"""Reading what the grid's runs left behind: all that the report is made of."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from capnet.config import Config
from capnet.errors import UserError
from capnet.report.names import dataset_name

CARD = {"drawn", "splits", "manifest_sha256"}
TRAINING = {
    *("settings", "manifest_sha256", "started", "finished", "seconds", "images_per_second"),
    *("device", "precision", "processes", "versions", "git", "parameters", "resumed"),
}
SCORES = {"rank1", "mAP", "mINP"}
METRICS = {"protocol", "wrong_in_top10", "counts", *SCORES}
HISTORY = {"epoch", "learning_rate", "loss", "identity_loss", "triplet_loss", "attention_loss"}


class ReportError(UserError):
    """The report cannot be made; the message names the file or the key, and the remedy."""


class Paths(Protocol):
    """Where things lie, relative to the project's root; the module `pipeline.paths` is one."""

    PAGE: Path
    TABLES: Path
    FIGURES: Path
    PRIVATE_FIGURES: Path

    def run_key(self, dataset: str, variant: str, seed: int) -> str:
        """Return the name of one cell of the grid."""

    def prepared(self, dataset: str) -> Path:
        """Return the folder of a drawn data set's masks."""

    def card(self, dataset: str) -> Path:
        """Return the file with a data set's counts."""

    def results(self, key: str) -> Path:
        """Return the folder of history.csv, training.json and metrics.json."""

    def transferred(self, key: str, target: str) -> Path:
        """Return the file of a run's scores on another data set."""

    def evaluated(self, key: str) -> Path:
        """Return the folder of overlays.npz and ranks.json."""


@dataclass(frozen=True)
class Run:
    """One cell of the grid: how it was trained, what it scored, and its folder for the figures."""

    dataset: str
    variant: str
    seed: int
    training: dict[str, Any]
    metrics: dict[str, Any]
    history: pd.DataFrame
    evaluated: Path


@dataclass(frozen=True)
class Study:
    """The params, each data set's counts, and the runs in the grid's order."""

    config: Config
    cards: dict[str, dict[str, Any]]
    runs: list[Run]

    def of(self, dataset: str, variant: str | None = None) -> list[Run]:
        """Return the runs of a data set, or of one variant on it, in the grid's order."""
        return [r for r in self.runs if r.dataset == dataset and variant in (None, r.variant)]

    def title(self, dataset: str) -> str:
        """Name a data set with its version: MSMT17 has two that differ (A24)."""
        return f"{dataset_name(dataset)} {self.version(dataset)}".strip()

    def version(self, dataset: str) -> str:
        """Return a data set's version, empty where it has but one."""
        return str(self.cards[dataset].get("version") or "")

    def drawn(self, dataset: str) -> bool:
        """Whether no real person can be on the images: only then may a figure be published."""
        generated = self.config.dataset(dataset).generate is not None
        return generated and self.cards[dataset]["drawn"] is True


def read_study(config: Config, paths: Paths) -> Study:
    """Read every cell of the grid, and no other run that may lie beside them.

    ReportError names the first file that is missing or does not fit.
    """
    grid = config.grid
    if config.report.reference_variant not in grid.variants:
        raise ReportError(
            f"report.reference_variant: {config.report.reference_variant!r} is not one of "
            f"grid.variants ({', '.join(grid.variants)}); name one of them"
        )
    cards = {dataset: _json(paths.card(dataset), CARD) for dataset in grid.datasets}
    cells = product(grid.datasets, grid.variants, grid.seeds)
    runs = [_run(cell, grid.transfer, paths) for cell in cells]
    for run in runs:
        if run.training["manifest_sha256"] != cards[run.dataset]["manifest_sha256"]:
            key = paths.run_key(run.dataset, run.variant, run.seed)
            raise ReportError(
                f"{paths.results(key) / 'training.json'}: {key} was trained on other images than "
                f"{paths.card(run.dataset)} counts; run `dvc repro`"
            )
    return Study(config, cards, runs)


def _run(cell: tuple[str, str, int], targets: list[str], paths: Paths) -> Run:
    key = paths.run_key(*cell)
    results, evaluated = paths.results(key), paths.evaluated(key)
    files = [results / name for name in ("training.json", "metrics.json", "history.csv")]
    for file in [*files, evaluated / "overlays.npz", evaluated / "ranks.json"]:
        if not file.is_file():
            raise ReportError(
                f"{file}: not found, so cell {key} of the grid has no result; run `dvc repro`"
            )
    training, metrics, history = files
    scores = _json(metrics, METRICS)
    if targets:
        scores["transfer"] = {t: _transfer(paths.transferred(key, t)) for t in targets}
    return Run(*cell, _json(training, TRAINING), scores, _csv(history), evaluated)


def _transfer(path: Path) -> dict[str, Any]:
    """Return the scores of a network on another data set, without what is said beside them."""
    scores = _json(path, SCORES)
    return {name: scores[name] for name in (*SCORES, "reranked") if name in scores}


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; ReportError names one that is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ReportError(f"{path}: not found; run `dvc repro`") from None
    except ValueError as error:
        raise ReportError(f"{path}: not readable as JSON ({error}); run `dvc repro`") from None


def _json(path: Path, required: Collection[str]) -> dict[str, Any]:
    content = read_json(path)
    _require(path, required, content if isinstance(content, dict) else {})
    return dict(content)


def _csv(path: Path) -> pd.DataFrame:
    try:
        content = pd.read_csv(path)
    except ValueError as error:
        raise ReportError(f"{path}: not readable as CSV ({error}); run `dvc repro`") from None
    _require(path, HISTORY, content.columns)
    return content


def _require(path: Path, required: Collection[str], present: Collection[str]) -> None:
    missing = sorted(set(required) - set(present))
    if missing:
        raise ReportError(f"{path}: lacks {', '.join(missing)}; run `dvc repro`")
