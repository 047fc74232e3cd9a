"""params.yaml as frozen, strict models: the only reader of it.

`load(path)` checks the whole file; `Config.run(dataset, variant, seed)` resolves what one training
uses: the paper's `model` and `train` blocks with the overrides of its data set, then its variant.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from capnet.errors import UserError
from capnet.settings import Block, Dataset, Evaluate, Grid, Model, Name, Report, Run, Train, Variant

T = TypeVar("T")


class ConfigError(UserError, ValueError):
    """params.yaml cannot be used; the message names the key and the remedy."""


class Config(Block):
    """The whole of params.yaml."""

    grid: Grid
    datasets: dict[Name, Dataset]
    variants: dict[Name, Variant]
    model: Model
    train: Train
    evaluate: Evaluate
    report: Report

    @model_validator(mode="after")
    def _grid_is_defined(self) -> Config:
        for key, known in (("datasets", self.datasets), ("variants", self.variants)):
            for name in getattr(self.grid, key):
                _require(name, known, key)
        for dataset, settings in self.datasets.items():
            for path in settings.lists:
                if Path(path).parts[:-1] != ("tables",):
                    raise ConfigError(
                        f"datasets.{dataset}: {path} must lie in tables/, the folder of such files "
                        "that DVC watches; move it there"
                    )
            for variant in self.variants:
                self.run(dataset, variant, 0)
        return self

    def dataset(self, name: str) -> Dataset:
        """Return the data set `name`; ConfigError lists the known ones."""
        return _require(name, self.datasets, "datasets")

    def run(self, dataset: str, variant: str, seed: int) -> Run:
        """Resolve one cell of the grid: `model` and `train` with both overrides applied.

        Raises ConfigError naming the dotted path of what does not fit.
        """
        chosen = _require(variant, self.variants, "variants")
        resolved = {
            "dataset": dataset,
            "variant": variant,
            "seed": seed,
            "form": chosen.form,
            "model": self.model.model_dump(),
            "train": self.train.model_dump(),
        }
        run = Run.model_validate(resolved)
        for path, override in (
            (f"datasets.{dataset}.override", self.dataset(dataset).override),
            (f"variants.{variant}.override", chosen.override),
        ):
            _overlay(resolved, override, path)
            try:
                run = Run.model_validate(resolved)
            except ValidationError as error:
                raise ConfigError("\n".join(_lines(error, path))) from None
        return run


def load(path: str | Path = "params.yaml") -> Config:
    """Read and check a params file with DVC's own YAML rules (1.2).

    Raises ConfigError with one line per fault: file, dotted path, what is wrong.
    """
    path = Path(path)
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: not found; run from the project's root folder") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {error}") from error
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(_lines(error, str(path)))) from None


def _require(name: str, known: Mapping[str, T], key: str) -> T:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise ConfigError(f"{key}: no entry named {name!r}; {hint}")
    return known[name]


def _overlay(target: dict[str, Any], override: dict[str, Any], path: str) -> None:
    """Write `override` over `target`, key by key; only existing keys of `model` and `train`."""
    known = target if "dataset" not in target else {k: target[k] for k in ("model", "train")}
    for key, value in override.items():
        if key not in known:
            _require(key, known, path)
        if isinstance(target[key], dict):
            if not isinstance(value, dict):
                raise ConfigError(f"{path}.{key}: must be a block, not {value!r}")
            _overlay(target[key], value, f"{path}.{key}")
        else:
            target[key] = value


def _lines(error: ValidationError, where: str) -> list[str]:
    lines = []
    for fault in error.errors():
        path = ".".join(str(part) for part in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = "unknown key; correct its spelling or remove it"
        elif fault["type"] == "missing":
            message = "missing; add it"
        elif fault["type"] != "value_error" and "input" in fault and path:
            message = f"{message} (it is {fault['input']!r})"
        lines.append(": ".join(part for part in (where, path, message) if part))
    return lines
