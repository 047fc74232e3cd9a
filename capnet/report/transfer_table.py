"""Networks on data sets that they were not trained on."""

from __future__ import annotations

import pandas as pd

from capnet.report.aggregate import Summary
from capnet.report.names import seeds_words, variant_name
from capnet.report.study import Study
from capnet.report.tables import Group, Table, column, from_columns

SCORES = {"rank1": "rank-1", "mAP": "mAP"}


def transfer_table(study: Study, summary: Summary) -> Table | None:
    """Build a row per training data set and form, a group per data set tested on; or nothing."""
    grid = study.config.grid
    if not grid.transfer:
        return None
    cells = [(dataset, variant) for dataset in grid.datasets for variant in grid.variants]
    numbers = {
        (target, score): [summary.score(*cell, f"transfer.{target}.{score}") for cell in cells]
        for target in grid.transfer
        for score in SCORES
    }
    return Table(
        title=f"Trained on one data set, tested on another, {seeds_words(len(grid.seeds))}",
        corner="Trained on, form",
        groups=tuple(
            Group(f"Tested on {study.title(target)}, %", tuple(SCORES.values()))
            for target in grid.transfer
        ),
        rows=from_columns(
            [f"{study.title(dataset)}, {variant_name(variant)}" for dataset, variant in cells],
            [column(values) for values in numbers.values()],
        ),
        notes=("Every network at its own input size; nothing was adapted to the other data set.",),
        data=pd.DataFrame(
            {
                "trained_on": study.title(dataset),
                "variant": variant,
                "tested_on": study.title(target),
                **_per_cent(summary, dataset, variant, target),
            }
            for dataset, variant in cells
            for target in grid.transfer
        ),
    )


def _per_cent(summary: Summary, dataset: str, variant: str, target: str) -> dict[str, float]:
    numbers = {
        name: summary.score(dataset, variant, f"transfer.{target}.{name}") for name in SCORES
    }
    means = {name: 100 * number.mean for name, number in numbers.items()}
    return means | {f"{name}_std": 100 * number.std for name, number in numbers.items()}
