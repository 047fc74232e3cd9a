"""The blocks `variants`, `model` and `train`, and the run that they resolve to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from capnet.forms import Form
from capnet.settings.block import Block, Count, Fraction, Positive


class Variant(Block):
    """A row of the ablation: one of the paper's forms (R18) and what else it changes."""

    form: Form
    override: dict[str, Any] = Field(default_factory=dict)


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


class Run(Block):
    """All that decides the result of one training."""

    dataset: str
    variant: str
    seed: int
    form: Form
    model: Model
    train: Train
