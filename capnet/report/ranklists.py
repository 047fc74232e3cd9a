"""Fig. 3: the first ten results of the same queries for each variant, right and wrong marked."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, median
from typing import Any

from PIL import Image

from capnet.report.names import variant_name
from capnet.report.sheet import TILE, Sheet, tile
from capnet.report.study import ReportError, Run, read_json

SHOWN = 2
RIGHT, WRONG, QUERY = (0, 128, 96), (200, 50, 20), (34, 34, 34)
Lists = list[dict[str, Any]]


def rank_lists(runs: list[Run]) -> list[Lists]:
    """Read the kept lists of each variant; ReportError where they are not of the same queries."""
    lists: list[Lists] = []
    for run in runs:
        file = run.evaluated / "ranks.json"
        lists.append(read_json(file))
        if [query["path"] for query in lists[0]] != [query["path"] for query in lists[-1]]:
            raise ReportError(
                f"{file}: holds other queries than {runs[0].evaluated / 'ranks.json'}; "
                "run `dvc repro`"
            )
    return lists


def typical_queries(lists: list[Lists], shown: int = SHOWN) -> list[int]:
    """Choose queries by a rule instead of by their looks; return their places, in file order.

    Taken are those whose number of wrong results, averaged over the variants, is nearest the
    median of that number; of equals the first in file order.
    """
    wrong = [
        fmean(sum(not result["right"] for result in query["results"]) for query in of_variants)
        for of_variants in zip(*lists, strict=True)
    ]
    middle = median(wrong) if wrong else 0
    return sorted(sorted(range(len(wrong)), key=lambda place: abs(wrong[place] - middle))[:shown])


def rank_sheet(runs: list[Run], lists: list[Lists], query: int, root: Path) -> Image.Image:
    """Draw a row per variant: the query, then its results from the nearest on."""
    rows = [of_variant[query] for of_variant in lists]
    length = max(len(row["results"]) for row in rows)
    headings = ["query", *(str(place + 1) for place in range(length))]
    sheet = Sheet(headings, rows=len(rows), margin=_margin(runs))
    for i, (run, row) in enumerate(zip(runs, rows, strict=True)):
        x, y = sheet.corner(i, 0)
        sheet.write((x - 8, y + TILE[1] // 2), variant_name(run.variant), anchor="rm")
        sheet.paste(i, 0, tile(root / row["path"]))
        sheet.frame(i, 0, QUERY)
        for place, result in enumerate(row["results"], 1):
            sheet.paste(i, place, tile(root / result["path"]))
            colour, mark = (RIGHT, "✓") if result["right"] else (WRONG, "✗")
            sheet.frame(i, place, colour, mark)
    return sheet.picture


def _margin(runs: list[Run]) -> int:
    return 14 + 8 * max(len(variant_name(run.variant)) for run in runs)
