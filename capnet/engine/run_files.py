"""What a run's files say, in the words of a tracking store: params, tags, metrics, artifacts."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from capnet.errors import UserError

FINGERPRINT, CURRENT = "capnet.fingerprint", "capnet.current"

Points = dict[tuple[str, int], float]  # (metric, epoch) -> value


class RunFilesError(UserError):
    """A file of a run cannot be used; the message names it."""


@dataclass(frozen=True)
class RunFiles:
    """The files of one cell of the grid, read once.

    metrics is empty before the evaluation. artifacts and digests (SHA-256) have the same keys: the
    files' names in the store.
    """

    key: str
    training: dict[str, Any]
    metrics: dict[str, Any]
    history: Points
    artifacts: dict[str, Path]
    digests: dict[str, str]

    @property
    def last_epoch(self) -> int:
        """The last trained epoch, 1-based."""
        return max((epoch for _, epoch in self.history), default=1)

    @property
    def cell(self) -> dict[str, str]:
        """What the store finds the runs of this cell by."""
        return {name: str(self.training[name]) for name in ("dataset", "variant", "seed")}

    def moment(self, name: str) -> int | None:
        """Return when training "started" or "finished", in Unix milliseconds; None if not yet."""
        text = self.training.get(name)
        return int(datetime.fromisoformat(text).timestamp() * 1000) if text else None

    def points(self) -> Points:
        """Return the final metrics at the last epoch, test scores by epoch, and the history.

        In this order, which is the UI's: scores come first.
        """
        final = {
            n: v
            for n, v in self.metrics.items()
            if n not in ("counts", "protocol", "trainings", "evaluated")
        }
        final |= {name: self.training.get(name) for name in ("seconds", "images_per_second")}
        points: Points = {
            (name, self.last_epoch): value
            for name, value in _flat(final, "_").items()
            if isinstance(value, int | float)
        }
        for row in self.metrics.get("progress", ()):
            points |= {(f"test_{name}", row["epoch"]): row[name] for name in ("rank1", "mAP")}
        return points | self.history

    def params(self) -> dict[str, str]:
        """Return the cell, the form and the flattened settings, written as in params.yaml."""
        values = self.cell | {"form": self.training["form"]}
        values |= _flat(self.training["settings"], ".")
        return {name: _text(value) for name, value in values.items()}

    def tags(self) -> dict[str, str]:
        """Return what tells this run from others and how it came about."""
        commit, dirty = map((self.training.get("git") or {}).get, ("commit", "dirty"))
        tags = self.cell | {name: self.training.get(name) for name in ("device", "precision")}
        tags |= {
            "release": dict(self.metrics.get("protocol", ())).get("release"),
            FINGERPRINT: self.training["fingerprint"],
            CURRENT: "true",
            "processes": self.training.get("processes"),
            "dvc_stage": f"train@{self.key}",
            "git_commit": commit,
            "git_dirty": dirty,
            "mlflow.source.git.commit": commit,
            "mlflow.note.content": f"{self.key}: copied from the files that `dvc repro` makes.",
        }
        return {name: _text(value) for name, value in tags.items() if value is not None}


def read_run(key: str, folder: Path, attached: Mapping[str, Path]) -> RunFiles:
    """Read a folder's training.json and, where they are, history.csv, metrics.json, transfer_*.

    attached: further artifacts (figures, page) by their names in the store; an evaluated run gets
    them. Metrics that name another training's fingerprint wait: theirs is still to be evaluated.
    Raises RunFilesError naming the file that cannot be used.
    """
    path = folder / "training.json"
    try:
        files = {path.name: path}
        training = json.loads(path.read_bytes())
        for name in ("dataset", "variant", "seed", "form", "settings", "fingerprint", "started"):
            training[name]
        history: Points = {}
        if (path := folder / "history.csv").is_file():
            files[path.name] = path
            history = _history(path)
        metrics: dict[str, Any] = {}
        for path in sorted(folder.glob("metrics.json")) + sorted(folder.glob("transfer_*.json")):
            scores = json.loads(path.read_bytes())
            if training["fingerprint"] in scores.get("trainings", [training["fingerprint"]]):
                files[path.name] = path
                metrics |= _by_target(scores)
        files |= attached if "metrics.json" in files else {}
        digests = {
            n: hashlib.sha256((path := f).read_bytes()).hexdigest() for n, f in files.items()
        }
    except KeyError as error:
        raise RunFilesError(f"{path}: has no {error}; train again") from None
    except (OSError, ValueError, TypeError) as error:
        raise RunFilesError(f"{path}: {error}; make it again with `dvc repro`") from None
    return RunFiles(key, training, metrics, history, files, digests)


def _by_target(scores: dict[str, Any]) -> dict[str, Any]:
    """Return scores as they are, or under the name of the other data set that they are of."""
    if "target" not in scores:
        return scores
    numbers = {name: value for name, value in scores.items() if isinstance(value, int | float)}
    return {f"on_{scores['target']}": numbers}


def _history(path: Path) -> Points:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(int(row.pop("epoch")), row) for row in csv.DictReader(file)]
    return {(name, epoch): float(value) for epoch, row in rows for name, value in row.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _flat(tree: Mapping[str, Any], joint: str) -> dict[str, Any]:
    """Return the leaves of nested blocks, named by their joined path."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves |= {f"{name}{joint}{n}": v for n, v in _flat(value, joint).items()}
        else:
            leaves[name] = value
    return leaves
