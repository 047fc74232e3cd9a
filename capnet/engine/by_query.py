"""What a run scored on each query, kept so that two runs can be compared query by query."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from capnet.errors import UserError
from capnet.files import write_text
from capnet.ops.changes import changed_queries
from capnet.ops.protocol import Ints


@dataclass(frozen=True, eq=False)
class ByQuery:
    """Q test queries in manifest order; the file of it is a table of these columns."""

    query: Sequence[str]  # the images' paths below the data set's root
    average_precision: NDArray[np.float64]  # NaN for a query without a right answer
    first_match_rank: Ints  # place of the first right answer, 0 the best, -1 without one
    first_wrong: Sequence[str]  # path of the first wrong image of the list's head, "" if none


def write_by_query(path: Path, scores: ByQuery) -> None:
    """Write the scores as CSV; every digit is kept."""
    write_text(path, pd.DataFrame(vars(scores)).to_csv(index=False))


def read_by_query(path: Path) -> ByQuery:
    """Read what `write_by_query` wrote; UserError says that it is not there or not whole."""
    if not path.is_file():
        raise UserError(f"{path}: not found; evaluate the run first (`dvc repro`)")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, strict=True))
        return ByQuery(
            [row["query"] for row in rows],
            np.array([float(row["average_precision"] or "nan") for row in rows]),
            np.array([int(row["first_match_rank"]) for row in rows], dtype=np.int64),
            [row["first_wrong"] for row in rows],
        )
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise UserError(f"{path}: not readable ({error}); evaluate the run again") from error


def changes(before: ByQuery, after: ByQuery) -> pd.DataFrame:
    """The queries that two runs serve otherwise, from the greatest loss of AP to the greatest gain.

    Columns query; change: "won" where the list now begins with a right answer and did not before,
    "lost" where it is the other way round, else "better" or "worse"; and of each run ap, the rank
    of the first right answer, 1 the best, and the first wrong image. ValueError where the queries
    differ.
    """
    if before.query != after.query:
        raise ValueError(f"the queries differ: {len(before.query)} and {len(after.query)} images")
    found = changed_queries(before, after)
    columns: dict[str, object] = {
        "query": np.array(before.query, dtype=object)[found.query],
        "change": np.where(found.average_precision > 0, "better", "worse").astype(object),
    }
    for name, scores in (("before", before), ("after", after)):
        columns[f"ap_{name}"] = scores.average_precision[found.query]
        columns[f"rank_{name}"] = scores.first_match_rank[found.query] + 1
        columns[f"wrong_{name}"] = np.array(scores.first_wrong, dtype=object)[found.query]
    table = pd.DataFrame(columns)
    table.loc[(table.rank_before > 1) & (table.rank_after == 1), "change"] = "won"
    table.loc[(table.rank_before == 1) & (table.rank_after > 1), "change"] = "lost"
    return table
