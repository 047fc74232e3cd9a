"""The command that shows which queries one run serves otherwise than another."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from capnet.engine.by_query import ByQuery, write_by_query
from capnet.errors import UserError
from capnet.files import write_json
from pipeline import changes, paths

BEFORE, AFTER = "market-baseline-1", "market-s_times_c-1"
SCORES = {
    BEFORE: ([0.5, 1.0, 0.25], [1, 0, 3], ["x.jpg", "", "y.jpg"]),
    AFTER: ([1.0, 0.5, 0.25], [0, 2, 3], ["", "z.jpg", "y.jpg"]),
}


def leave(key, **training):
    """Leave what training and evaluation leave of a run."""
    ap, first, wrong = SCORES[key]
    summary = {"dataset": "market", "manifest_sha256": "5e", "fingerprint": key} | training
    write_json(paths.results(key) / "training.json", summary)
    write_json(paths.results(key) / "metrics.json", {"trainings": [key]})
    scores = ByQuery(["a.jpg", "b.jpg", "c.jpg"], np.array(ap), np.array(first), wrong)
    write_by_query(paths.by_query(key), scores)


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    leave(BEFORE)
    leave(AFTER)


def test_lost_and_won_queries_are_printed_with_what_was_taken_for_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["capnet changes", BEFORE, AFTER, "--csv", "all.csv"])
    changes.main()
    told = capsys.readouterr().out
    assert "2 queries changed: 1 lost, 1 won, 0 worse, 0 better" in told
    assert "b.jpg  AP 1.000 -> 0.500  rank 1 -> 3  z.jpg" in told
    assert "a.jpg  AP 0.500 -> 1.000  rank 2 -> 1  x.jpg" in told
    assert "c.jpg" not in told
    with Path("all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["query"], row["change"]) for row in rows] == [("b.jpg", "lost"), ("a.jpg", "won")]


def test_equal_runs_have_no_changes(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["capnet changes", BEFORE, BEFORE])
    changes.main()
    assert capsys.readouterr().out.endswith("0 lost, 0 won, 0 worse, 0 better\n")


def test_a_run_that_is_not_evaluated_is_named_and_the_others_told():
    with pytest.raises(UserError, match=rf"dvc repro evaluate@x-y-1` .*; evaluated: {BEFORE}, "):
        changes.compare(BEFORE, "x-y-1")


def test_a_run_trained_again_since_is_named():
    leave(AFTER, fingerprint="another")
    with pytest.raises(UserError, match=f"{AFTER}: trained again since it was evaluated"):
        changes.compare(BEFORE, AFTER)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"dataset": "msmt17"}, r"not evaluated on one data set \(market, msmt17\)"),
        ({"manifest_sha256": "ff"}, r"not evaluated on one state of the data set \(5e, ff\)"),
    ],
)
def test_runs_of_other_images_are_not_compared(training, message):
    leave(AFTER, **training)
    with pytest.raises(UserError, match=message):
        changes.compare(BEFORE, AFTER)
