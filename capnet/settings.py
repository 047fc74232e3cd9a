"""The blocks of params.yaml as frozen, strict models; the labels are those of the method's notes.

They say what a value may be. The values themselves stand in params.yaml alone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from capnet.forms import Form

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
# The published splits (R27), and the checks of `prepare` whose findings a user may allow.
Benchmark = Literal["market1501", "dukemtmc", "msmt17", "cuhk03_np_detected", "cuhk03_np_labeled"]
Check = Literal[
    "counts",
    "shared_people",
    "unmatched_queries",
    "shared_images",
    "repeated_images",
    "case",
    "links",
    "rotated",
    "tiny",
]


class Block(BaseModel):
    """A block of params.yaml: unknown keys and silent conversions are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Grid(Block):
    """The combinations that the DAG trains and evaluates.

    Every trained network is evaluated on the data sets of `transfer` too.
    """

    datasets: list[Name] = Field(min_length=1)
    variants: list[Name] = Field(min_length=1)
    seeds: list[Count] = Field(min_length=1)
    transfer: list[Name] = []

    @model_validator(mode="after")
    def _each_once(self) -> Grid:
        for key, values in self:
            if len(set(values)) != len(values):
                raise ValueError(f"{key} names one value twice: {values}")
        if absent := [name for name in self.transfer if name not in self.datasets]:
            raise ValueError(f"transfer names {absent[0]}; add it to datasets, which are prepared")
        return self


class Synthetic(Block):
    """Arguments of `capnet.data.synthetic.generate`: either `labels` or the six counts."""

    seed: Count
    train_ids: Positive | None = None
    test_ids: Positive | None = None
    cameras: Annotated[int, Field(ge=2)] | None = None
    images_per_camera: Positive | None = None
    distractors: Count | None = None
    junk: Count | None = None
    labels: Annotated[str, Field(min_length=1)] | None = None
    height: Positive
    width: Positive
    clutter: Fraction
    occlusion: Fraction
    misalignment: Fraction
    camera_shift: Fraction
    clothing_similarity: Fraction
    background_leak: Fraction = 0.0

    @model_validator(mode="after")
    def _labels_or_counts(self) -> Synthetic:
        counts = [self.train_ids, self.test_ids, self.cameras, self.images_per_camera]
        counts += [self.distractors, self.junk]
        if counts.count(None) != (0 if self.labels is None else len(counts)):
            raise ValueError(
                "give either `labels`, or all of train_ids, test_ids, cameras, images_per_camera, "
                "distractors and junk"
            )
        return self


class Dataset(Block):
    """Where a data set lies, how its files are named, and what it changes in a run.

    `table` lists the images of the layout of that name. `benchmark` is whose published counts it
    must have (R27); `allow` names checks that may fail, each with the user's reason.
    """

    layout: Literal["market", "duke", "msmt17", "cuhk03_np", "table"]
    root: Annotated[str, Field(min_length=1)]
    table: Annotated[str, Field(min_length=1)] | None = None
    benchmark: Benchmark | None = None
    allow: dict[Check, Annotated[str, Field(min_length=1)]] = {}
    generate: Synthetic | None = None
    override: dict[str, Any] = {}

    @model_validator(mode="after")
    def _table_has_its_layout(self) -> Dataset:
        if (self.layout == "table") != (self.table is not None):
            raise ValueError("layout: table and table: <file> go together; give both or neither")
        return self

    @property
    def lists(self) -> list[str]:
        """Files of labels beside the images: DVC watches them where they lie in tables/."""
        labels = self.generate.labels if self.generate else None
        return [path for path in (self.table, labels) if path is not None]


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


class RateScaling(Block):
    """How the learning rate follows the batch: (images a step / from_images) ** power."""

    from_images: Positive
    power: Annotated[float, Field(ge=0, le=1)]


class Train(Block):
    """Sampling, schedule, losses and augmentation of one training (R20-R24, A15-A20)."""

    epochs: Positive
    ids_per_batch: Annotated[int, Field(ge=2)]
    images_per_id: Annotated[int, Field(ge=2)]
    accumulate: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    rate_scaling: RateScaling | None
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
    deterministic: bool
    keep_every: Count

    @property
    def rate_scale(self) -> float:
        """What `learning_rate` is multiplied by for the number of images in an optimiser step."""
        if self.rate_scaling is None:
            return 1.0
        images = self.ids_per_batch * self.images_per_id * self.accumulate
        return float((images / self.rate_scaling.from_images) ** self.rate_scaling.power)


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
    single_shot_trials: Count
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
