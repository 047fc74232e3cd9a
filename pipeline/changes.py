"""Show the queries that one run serves otherwise than another: `capnet changes <run> <run>`.

A run is named as its folder in reports/runs, as synthetic-baseline-1. A query is won where its list
now begins with a right answer and did not before, and lost where it is the other way round.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from capnet.engine.by_query import ByQuery, changes, read_by_query
from capnet.errors import UserError
from capnet.files import write_text
from pipeline import paths
from pipeline.stage import stage


def main() -> None:
    """Print the counts and the greatest changes, and write all of them where that is asked."""
    arguments = _arguments()
    before, after = arguments.before, arguments.after
    table = compare(before, after)
    if arguments.csv:
        write_text(arguments.csv, table.to_csv(index=False))
    counts = table["change"].value_counts()
    told = ", ".join(f"{counts.get(c, 0)} {c}" for c in ("lost", "won", "worse", "better"))
    sys.stdout.write(f"{before} -> {after}: {len(table)} queries changed: {told}\n")
    head = table[table["change"] == "lost"].head(arguments.top)
    _show("lost, with the first wrong image now", head, "wrong_after")
    head = table[table["change"] == "won"].iloc[::-1].head(arguments.top)
    _show("won, with the first wrong image before", head, "wrong_before")


def compare(before: str, after: str) -> pd.DataFrame:
    """Return `changes` of two runs; UserError where they were not evaluated on the same images."""
    (earlier, seen), (later, seen_later) = _read(before), _read(after)
    for name, what in (("dataset", "data set"), ("manifest_sha256", "state of the data set")):
        if seen[name] != seen_later[name]:
            raise UserError(
                f"{before} and {after} were not evaluated on one {what} "
                f"({seen[name]}, {seen_later[name]}); compare runs of the same, after `dvc repro`"
            )
    return changes(earlier, later)


def _read(key: str) -> tuple[ByQuery, dict[str, Any]]:
    """Return what a run scored by query, and the summary of its training."""
    folder = paths.results(key)
    files = [folder / "training.json", folder / "metrics.json", paths.by_query(key)]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        known = sorted(
            file.parent.name for file in paths.by_query("*").parent.parent.glob("*/*.csv")
        )
        raise UserError(
            f"{key}: not evaluated yet ({missing[0]} not found); `dvc repro evaluate@{key}` does "
            f"it; evaluated: {', '.join(known) or 'no run'}"
        )
    training, metrics = (json.loads(file.read_bytes()) for file in files[:2])
    if metrics["trainings"] != [training["fingerprint"]]:
        raise UserError(
            f"{key}: trained again since it was evaluated; `dvc repro evaluate@{key}` catches up"
        )
    return read_by_query(files[2]), training


def _show(title: str, table: pd.DataFrame, wrong: str) -> None:
    if len(table):
        sys.stdout.write(f"\n{title}:\n")
    for row in table.to_dict("records"):
        sys.stdout.write(
            f"{row['query']}  AP {row['ap_before']:.3f} -> {row['ap_after']:.3f}  "
            f"rank {row['rank_before']} -> {row['rank_after']}  {row[wrong]}\n"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="capnet changes", description=__doc__)
    parser.add_argument("before", help="a run, as synthetic-baseline-1")
    parser.add_argument("after", help="another run of the same data set")
    parser.add_argument("--top", type=int, default=10, help="so many of each kind (default: 10)")
    parser.add_argument("--csv", type=Path, help="write all changed queries to this file")
    return parser.parse_args()


if __name__ == "__main__":
    stage(main)
