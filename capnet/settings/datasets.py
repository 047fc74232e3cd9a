"""The block `datasets`: where images lie, what they must pass, or how to draw them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from capnet.settings.block import Block, Count, Fraction, Positive

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
    allow: dict[Check, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    generate: Synthetic | None = None
    override: dict[str, Any] = Field(default_factory=dict)

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
