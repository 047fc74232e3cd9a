"""Table I: the forms of attention on one data set, the paper's numbers beside them (R18)."""

from __future__ import annotations

import pandas as pd

from capnet.report import paper
from capnet.report.aggregate import Number, Summary
from capnet.report.names import seeds_words, variant_name
from capnet.report.study import Study
from capnet.report.tables import (
    NOT_GIVEN,
    Cell,
    Group,
    Table,
    column,
    from_columns,
    points,
    within_noise,
)

MEASURED = {"rank1": "rank-1", "mAP": "mAP", "mINP": "mINP"}
COMPARED = {"rank1": "rank-1", "mAP": "mAP"}
RERANKED = {"reranked.rank1": "rank-1", "reranked.mAP": "mAP"}


def table_1(study: Study, summary: Summary, dataset: str) -> Table:
    """Build the block of one data set: a row per variant of the grid, in its order."""
    variants, seeds = study.config.grid.variants, study.config.grid.seeds
    reference = study.config.report.reference_variant
    reranked = RERANKED if "reranked.mAP" in summary.names(dataset) else {}
    groups = [
        Group("Measured here, %", tuple(MEASURED.values())),
        Group(f"Difference to {variant_name(reference)}, points", tuple(COMPARED.values())),
        Group("The paper, rank-1 / mAP in %", tuple(paper.DATASETS.values()), quoted=True),
        *([Group("Re-ranked here, %", tuple(RERANKED.values()))] if reranked else []),
    ]
    columns = [
        *(column([summary.score(dataset, v, score) for v in variants]) for score in MEASURED),
        *(
            [_difference(summary.difference(dataset, v, score), v == reference) for v in variants]
            for score in COMPARED
        ),
        *([_quoted(variant, quoted) for variant in variants] for quoted in paper.DATASETS),
        *(column([summary.score(dataset, v, score) for v in variants]) for score in reranked),
    ]
    return Table(
        title=f"Table I on {study.title(dataset)}, {seeds_words(len(seeds))}",
        corner="Form",
        groups=tuple(groups),
        rows=from_columns([variant_name(variant) for variant in variants], columns),
        notes=_notes(seeds, variant_name(reference)),
        data=_data(study, summary, dataset),
    )


def _difference(number: Number, is_reference: bool) -> Cell:
    if is_reference:
        return Cell("reference")
    return Cell(points(number), noise=within_noise(number))


def _quoted(variant: str, dataset: str) -> Cell:
    pair = paper.TABLE_1.get(variant, {}).get(dataset)
    return Cell(f"{pair[0]} / {pair[1]}" if pair else NOT_GIVEN)


def _notes(seeds: list[int], reference: str) -> tuple[str, ...]:
    bold = "Bold: the largest number of a column, whether or not its lead exceeds the spread."
    if len(seeds) == 1:
        return (
            f"1 seed, no spread (seed {seeds[0]}): how far the same variant lands with another "
            "seed is unknown, so no difference of this table is a finding.",
            bold,
        )
    few = "A few seeds measure a spread only roughly. " if len(seeds) < 5 else ""
    listed = ", ".join(map(str, seeds))
    return (
        f"Mean ± sample standard deviation over {len(seeds)} seeds ({listed}). Differences are "
        f"taken to {reference} with the same seed first, then averaged: their ± is the spread of "
        "those pairs.",
        f"{few}≈ marks a difference no larger than its own spread: not a finding.",
        bold,
    )


def _data(study: Study, summary: Summary, dataset: str) -> pd.DataFrame:
    rows = []
    for variant in study.config.grid.variants:
        row: dict[str, object] = {
            "dataset": dataset,
            "version": study.version(dataset),
            "variant": variant,
            "form": variant_name(variant),
            "seeds": len(study.config.grid.seeds),
        }
        for score in (*MEASURED, *RERANKED):
            name, value = score.replace(".", "_"), summary.score(dataset, variant, score)
            difference = summary.difference(dataset, variant, score)
            row |= {name: 100 * value.mean, f"{name}_std": 100 * value.std}
            row |= {f"{name}_difference": 100 * difference.mean}
            row |= {f"{name}_difference_std": 100 * difference.std}
        for quoted, (rank1, mean_ap) in paper.TABLE_1.get(variant, {}).items():
            row |= {f"paper_{quoted}_rank1": rank1, f"paper_{quoted}_mAP": mean_ap}
        rows.append(row)
    return pd.DataFrame(rows)
