"""Fig. 2 and Fig. 3 in numbers: where the maps look, and how many results are wrong."""

from __future__ import annotations

from math import isnan

import pandas as pd

from capnet.report import paper
from capnet.report.aggregate import Number, Summary
from capnet.report.names import seeds_words, variant_name
from capnet.report.study import Study
from capnet.report.tables import NOT_GIVEN, Cell, Group, Table, column, from_columns, per_cent

MAPS = {"cam": "CAM", "spatial": "A_s", "unattended": "CAM before attention"}
MEASURES = {"pixel_ap": "pixel AP", "energy": "energy", "pointing": "pointing"}


def localisation_table(study: Study, summary: Summary, dataset: str) -> Table:
    """Build Fig. 2 in numbers: each map against the person mask, chance level first."""
    variants = study.config.grid.variants
    chance = summary.score(dataset, variants[0], "localisation.chance")
    names = [f"{kind}.{measure}" for kind in MAPS for measure in MEASURES]
    numbers = {
        name: [summary.score(dataset, v, f"localisation.{name}") for v in variants]
        for name in names
    }
    return Table(
        title=f"Fig. 2 in numbers on {study.title(dataset)}",
        corner="Form",
        groups=tuple(Group(f"{kind}, %", tuple(MEASURES.values())) for kind in MAPS.values()),
        rows=from_columns(
            ["Chance", *map(variant_name, variants)],
            [[Cell(per_cent(Number(chance.mean))), *column(numbers[name])] for name in names],
        ),
        notes=(
            "Against the person's true mask, over all queries; "
            f"{seeds_words(len(study.config.grid.seeds))}. Pixel AP: area under the "
            "precision-recall curve of all pixels. Energy: share of the map's sum on the person. "
            "Pointing: how often the highest pixel lies on the person.",
            "A_s multiplies the features and so flattens the attended CAM: the CAM before "
            "attention is scored apart.",
        ),
        data=pd.DataFrame(
            {"dataset": dataset, "version": study.version(dataset)}
            | {"variant": variants, "chance": 100 * chance.mean}
            | _data(numbers, 100)
        ),
    )


def wrong_table(study: Study, summary: Summary, dataset: str) -> Table:
    """Build Fig. 3 in numbers: wrong results among the first ten, over all queries."""
    variants = study.config.grid.variants
    score = "wrong_in_top10"
    numbers = [summary.score(dataset, variant, score) for variant in variants]
    printed = [paper.FIG_3_WRONG.get(variant) for variant in variants]
    queries = {int(run.metrics["counts"]["valid_queries"]) for run in study.of(dataset)}
    return Table(
        title=f"Fig. 3 in numbers on {study.title(dataset)}",
        corner="Form",
        groups=(
            Group("Wrong of the first ten", ("here, all queries",)),
            Group("", ("the paper, one query",), quoted=True),
        ),
        rows=from_columns(
            [variant_name(variant) for variant in variants],
            [
                column(numbers, _count, best=min),
                [Cell(NOT_GIVEN if wrong is None else str(wrong)) for wrong in printed],
            ],
        ),
        notes=(
            f"Mean over all {max(queries)} queries that have a match, "
            f"{seeds_words(len(study.config.grid.seeds))}. An identity with fewer than ten images "
            "to find makes some wrong results unavoidable, alike for every form.",
        ),
        data=pd.DataFrame(
            {"dataset": dataset, "version": study.version(dataset), "variant": variants}
            | _data({score: numbers}, 1)
        ),
    )


def _count(number: Number) -> str:
    return f"{number.mean:.2f}" + ("" if isnan(number.std) else f" ± {number.std:.2f}")


def _data(numbers: dict[str, list[Number]], factor: float) -> dict[str, list[float]]:
    """Return a column of means and one of spreads for each score."""
    columns = {}
    for name, values in numbers.items():
        short = name.replace(".", "_")
        columns[short] = [factor * number.mean for number in values]
        columns[f"{short}_std"] = [factor * number.std for number in values]
    return columns
