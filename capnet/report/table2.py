"""Table II: the paper's comparison, quoted, and our S*C where the same data set was run."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import pandas as pd

from capnet.report import paper
from capnet.report.aggregate import Number, Summary
from capnet.report.names import enumerate_words, seeds_words, variant_name
from capnet.report.study import Study
from capnet.report.tables import Group, Row, Table, column, from_columns

METHOD = "s_times_c"
NUMBERS = tuple(f"{dataset}_{score}" for dataset in paper.DATASETS for score in ("rank1", "mAP"))


def table_2(study: Study, summary: Summary) -> Table:
    """Build the quoted rows, then ours; re-ranked numbers compete among themselves only."""
    plain = [*_quoted(paper.TABLE_2, reranked=False), *_ours(study, summary, reranked=False)]
    reranked = [
        *_quoted(paper.TABLE_2_RERANKED, reranked=True),
        *_ours(study, summary, reranked=True),
    ]
    spreads = [f"{number}_std" for number in NUMBERS]
    columns = ["method", "reranked", "quoted", *NUMBERS, *spreads]
    return Table(
        title="Table II: the paper's comparison, %",
        corner="Method",
        groups=tuple(Group(name, ("rank-1", "mAP")) for name in paper.DATASETS.values()),
        rows=(*_rows(plain), *_rows(reranked)),
        notes=(_coverage(study), *(f"In the paper: {slip}" for slip in paper.SLIPS)),
        data=pd.DataFrame([*plain, *reranked], columns=columns),
    )


def covered(study: Study) -> list[str]:
    """Return the paper's data sets on which S*C was run."""
    grid = study.config.grid
    return [d for d in paper.DATASETS if d in grid.datasets and METHOD in grid.variants]


def _quoted(
    table: Mapping[str, Mapping[str, paper.Score]], reranked: bool
) -> list[dict[str, object]]:
    return [
        {"method": method, "reranked": reranked, "quoted": True}
        | {f"{dataset}_rank1": rank1 for dataset, (rank1, _) in scores.items()}
        | {f"{dataset}_mAP": mean_ap for dataset, (_, mean_ap) in scores.items()}
        for method, scores in table.items()
    ]


def _ours(study: Study, summary: Summary, reranked: bool) -> list[dict[str, object]]:
    """Return our row, or none where no data set of the paper was run or re-ranked."""
    prefix = "reranked." if reranked else ""
    numbers = {}
    for dataset in covered(study):
        for score in ("rank1", "mAP"):
            if prefix + score in summary.names(dataset):
                number = summary.score(dataset, METHOD, prefix + score)
                numbers[f"{dataset}_{score}"] = 100 * number.mean
                numbers[f"{dataset}_{score}_std"] = 100 * number.std
    name = f"{variant_name(METHOD)}, measured here ({seeds_words(len(study.config.grid.seeds))})"
    row = {"method": name, "reranked": reranked, "quoted": False}
    return [row | numbers] if numbers else []


def _rows(methods: list[dict[str, object]]) -> tuple[Row, ...]:
    labels = [f"{row['method']}{', re-ranked' if row['reranked'] else ''}" for row in methods]
    columns = [column([_number(row, name) for row in methods]) for name in NUMBERS]
    return from_columns(labels, columns)


def _number(row: Mapping[str, object], name: str) -> Number:
    """Return a number of a row as fractions; nan where it has none."""
    mean, std = (float(str(row.get(key, nan))) / 100 for key in (name, f"{name}_std"))
    return Number(mean, std)


def _coverage(study: Study) -> str:
    run = covered(study)
    if not run:
        return (
            "Every row is quoted from the paper. None is ours: S*C was run on none of its three "
            "data sets."
        )
    names = enumerate_words([study.title(dataset) for dataset in run])
    return (
        f"Quoted from the paper, except the rows measured here on {names}; what differs in their "
        "settings stands under “Not comparable with the paper”."
    )
