"""params.yaml as frozen, strict models: the only reader of it.

`load(path)` checks the whole file; `Config.run(dataset, variant, seed)` resolves what one training
uses: the paper's `model` and `train` blocks with the overrides of its data set, then its variant.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from capnet.errors import UserError

T = TypeVar("T")
Form = Literal["baseline", "s", "c", "s_then_c", "c_then_s", "s_times_c"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class ConfigError(UserError, ValueError):
    """params.yaml cannot be used; the message names the key and the remedy."""


class Block(BaseModel):
    """A block of params.yaml: unknown keys and silent conversions are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Grid(Block):
    """The combinations that the DAG trains and evaluates."""

    datasets: list[Name] = Field(min_length=1)
    variants: list[Name] = Field(min_length=1)
    seeds: list[Count] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_repeats(self) -> Grid:
        for key, values in self:
            if len(set(values)) != len(values):
                raise ValueError(f"{key} names one value twice: {values}")
        return self


class Synthetic(Block):
    """Arguments of `capnet.data.synthetic.generate`."""

    seed: Count
    train_ids: Positive
    test_ids: Positive
    cameras: Annotated[int, Field(ge=2)]
    images_per_camera: Positive
    height: Positive
    width: Positive
    distractors: Count
    junk: Count


class Dataset(Block):
    """Where a data set lies, how its files are named, and what it changes in a run."""

    layout: Literal["market", "duke", "msmt17", "cuhk03_np"]
    root: Annotated[str, Field(min_length=1)]
    generate: Synthetic | None = None
    override: dict[str, Any] = {}


class Variant(Block):
    """A row of the ablation: one of the paper's forms (R18) and what else it changes."""

    form: Form
    override: dict[str, Any] = {}


class Attention(Block):
    """The open choices of the attention and its supervision (A4, A7-A10)."""

    sigma: Annotated[float, Field(gt=0)]
    residual: bool
    cam_from: Literal["attended", "unattended"]
    cam_range: Literal["normalised", "raw"]
    cam_gradient: bool


class Model(Block):
    """Backbone, input size in pixels, neck and attention (R1-R6, A11, A30)."""

    backbone: Literal["resnet10", "resnet18", "resnet34", "resnet50", "resnet101"]
    weights: str | None
    last_stride: Literal[1, 2]
    height: Annotated[int, Field(ge=32)]
    width: Annotated[int, Field(ge=32)]
    neck: Literal["bnneck", "map2d"]
    attention: Attention


class Train(Block):
    """Sampling, schedule, losses and augmentation of one training (R20-R24, A15-A20)."""

    epochs: Positive
    ids_per_batch: Annotated[int, Field(ge=2)]
    images_per_id: Annotated[int, Field(ge=2)]
    learning_rate: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    warmup_epochs: Count
    warmup_factor: Annotated[float, Field(gt=0, le=1)]
    decay_epochs: list[Positive]
    decay_factor: Annotated[float, Field(gt=0, le=1)]
    attention_weight: Annotated[float, Field(ge=0)]
    triplet_margin: Annotated[float, Field(ge=0)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    flip: Fraction
    pad: Count
    erasing: Fraction
    precision: Literal["fp32", "bf16", "fp16"]
    keep_every: Count


class Rerank(Block):
    """k-reciprocal re-ranking (R28)."""

    k1: Positive
    k2: Positive
    lambda_value: Fraction


class Evaluate(Block):
    """What is measured on a trained network, and what is kept for the figures."""

    batch_size: Positive
    flip_average: bool
    ranks: list[Positive] = Field(min_length=1)
    rerank: Rerank | None
    gallery_lists: Count
    overlays: Count


class Report(Block):
    """The page's title, and the variant that the others are compared with."""

    title: str
    reference_variant: Name


class Run(Block):
    """All that decides the result of one training."""

    dataset: str
    variant: str
    seed: int
    form: Form
    model: Model
    train: Train


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
        for dataset in self.datasets:
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
