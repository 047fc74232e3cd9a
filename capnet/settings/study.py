"""The blocks `grid`, `evaluate` and `report`: what is compared, how, and under which title."""

from __future__ import annotations

from pydantic import Field, model_validator

from capnet.settings.block import Block, Count, Fraction, Name, Positive


class Grid(Block):
    """The combinations that the DAG trains and evaluates.

    Every trained network is evaluated on the data sets of `transfer` too.
    """

    datasets: list[Name] = Field(min_length=1)
    variants: list[Name] = Field(min_length=1)
    seeds: list[Count] = Field(min_length=1)
    transfer: list[Name] = Field(default_factory=list)

    @model_validator(mode="after")
    def _each_once(self) -> Grid:
        for key, values in self:
            if len(set(values)) != len(values):
                raise ValueError(f"{key} names one value twice: {values}")
        if absent := [name for name in self.transfer if name not in self.datasets]:
            raise ValueError(f"transfer names {absent[0]}; add it to datasets, which are prepared")
        return self


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
