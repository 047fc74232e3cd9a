"""Means, spreads and paired differences against values worked by hand."""

import json
import math
import random

import pytest

from capnet.report.aggregate import Summary, as_json, summarise
from capnet.report.study import read_study
from pipeline import paths

# Baseline: mean 0.5, deviations -0.1, 0, 0.1. S minus baseline: 0.05, 0.02, 0.11: mean 0.06,
# deviations -0.01, -0.04, 0.05, squares 0.0042 / 2, root 0.0458258.
MEAN_AP = {
    ("baseline", 1): 0.40,
    ("baseline", 2): 0.50,
    ("baseline", 3): 0.60,
    ("s", 1): 0.45,
    ("s", 2): 0.52,
    ("s", 3): 0.71,
}


def summary_of(scores: dict[tuple[str, int], float]) -> Summary:
    runs = {("market1501", variant, seed): {"mAP": v} for (variant, seed), v in scores.items()}
    return Summary(runs, reference="baseline")


def test_mean_and_sample_deviation_over_seeds():
    summary = summary_of(MEAN_AP)
    assert summary.score("market1501", "baseline", "mAP") == pytest.approx((0.5, 0.1))
    assert summary.score("market1501", "s", "mAP").mean == pytest.approx(0.56)


def test_difference_is_paired_by_seed():
    difference = summary_of(MEAN_AP).difference("market1501", "s", "mAP")
    assert difference == pytest.approx((0.06, 0.0458258), abs=1e-7)


def test_what_a_seed_does_to_all_variants_cancels():
    rng = random.Random(0)
    shift = {seed: rng.uniform(-0.3, 0.3) for seed in (1, 2, 3)}
    shifted = summary_of({(v, seed): score + shift[seed] for (v, seed), score in MEAN_AP.items()})
    assert shifted.difference("market1501", "s", "mAP") == pytest.approx(
        summary_of(MEAN_AP).difference("market1501", "s", "mAP")
    )


def test_one_seed_has_a_difference_and_no_spread():
    summary = summary_of({("baseline", 4): 0.4, ("s", 4): 0.5})
    difference = summary.difference("market1501", "s", "mAP")
    assert difference.mean == pytest.approx(0.1)
    assert math.isnan(difference.std)
    assert math.isnan(summary.score("market1501", "s", "mAP").std)


def test_a_score_that_was_not_measured_is_nan_and_unnamed():
    summary = summary_of(MEAN_AP)
    assert math.isnan(summary.score("market1501", "s", "reranked.mAP").mean)
    assert summary.names("market1501") == ["mAP"]


def test_scores_are_named_with_dots_and_counts_are_not_scores(project):
    study = read_study(project(seeds=(1,)), paths)
    names = summarise(study).names("synthetic")
    assert {"rank1", "mAP", "mINP", "wrong_in_top10", "reranked.mAP"} <= set(names)
    assert "localisation.spatial.pixel_ap" in names
    assert not [name for name in names if name.startswith(("counts", "protocol", "progress"))]


def test_results_json_keeps_full_precision_and_every_seed(project):
    third = 1 / 3
    scores = {("s", 1): {"mAP": third}, ("s", 2): {"mAP": 0.25}}
    study = read_study(project(scores=scores), paths)
    text = json.dumps(as_json(study, summarise(study)), allow_nan=False)
    mean_ap = json.loads(text)["datasets"]["synthetic"]["variants"]["s"]["mAP"]
    assert mean_ap["by_seed"] == {"1": third, "2": 0.25}
    assert mean_ap["mean"] == pytest.approx(7 / 24, abs=1e-15)


def test_results_json_says_null_where_one_seed_gives_no_spread(project):
    study = read_study(project(seeds=(1,)), paths)
    content = as_json(study, summarise(study))
    rank1 = content["datasets"]["synthetic"]["variants"]["s"]["rank1"]
    assert rank1["std"] is None
    assert rank1["difference"]["std"] is None
