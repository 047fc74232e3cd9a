"""What the page says is not the paper's experiment."""

import pytest

from capnet.report.aggregate import summarise
from capnet.report.comparability import all_settings, differences, never_comparable, not_comparable
from capnet.report.findings import finding
from capnet.report.provenance import commits, duration, machines, mean_time, period
from capnet.report.study import read_study
from pipeline import paths


def market(project, **changes):
    study = read_study(project(datasets=("market1501",), **changes), paths)
    study.cards["market1501"]["splits"] = {
        "train": {"images": 12936, "ids": 751},
        "query": {"images": 3368, "ids": 750},
        "gallery": {"images": 15913, "ids": 751},
    }
    return study


def test_the_papers_settings_on_the_papers_data_differ_in_nothing(project):
    assert not_comparable(market(project), "market1501") == []


def test_a_setting_is_named_with_both_values(project):
    study = market(project, settings={"train": {"epochs": 12, "decay_epochs": [6, 9]}})
    assert differences(study, "market1501") == [
        "epochs 12 instead of 60",
        "decay after epochs 6 and 9 instead of 30 and 50",
    ]


def test_a_setting_of_some_variants_names_them(project):
    variants = ("baseline", "s", "s_unsupervised")
    assert differences(market(project, variants=variants), "market1501") == [
        "weight of the attention loss 0 instead of 0.01 for S (unsupervised)"
    ]


def test_other_images_are_counted_against_the_papers(project):
    study = market(project)
    study.cards["market1501"]["splits"]["train"]["images"] = 100
    (reason,) = not_comparable(study, "market1501")
    assert "100 training images of 751 identities and 3368 queries here" in reason
    assert "12936 training images" in reason


def test_drawn_people_and_random_weights_are_said(project):
    reasons = " ".join(not_comparable(read_study(project(), paths), "synthetic"))
    assert "drawn by a program" in reasons
    assert "random weights" in reasons
    assert "backbone resnet10 instead of resnet50" in reasons


def test_a_data_set_that_the_paper_lacks_is_said(project):
    study = read_study(project(datasets=("cuhk03_np",)), paths)
    assert "CUHK03-NP is not in the paper." in not_comparable(study, "cuhk03_np")


def test_a_checkpoint_is_named_without_its_folder(project):
    study = market(project, settings={"model": {"weights": "weights/folder/start.pth"}})
    (reason,) = not_comparable(study, "market1501")
    assert "start.pth" in reason
    assert "folder" not in reason


def test_runs_on_different_machines_are_said(project):
    study = market(project)
    study.runs[0].training["device"] = "another machine"
    (reason,) = not_comparable(study, "market1501")
    assert "not alike among themselves: machines (1 on another machine" in reason


@pytest.mark.parametrize(("seeds", "words"), [((1,), "one seed"), ((1, 2, 3), "3 seeds each")])
def test_single_runs_of_the_paper_are_always_said(project, seeds, words):
    first, second = never_comparable(read_study(project(seeds=seeds), paths))
    assert words in first
    assert "augmentation" in second


def test_every_setting_is_listed_with_what_the_paper_states(project):
    listed = {key: rest for key, *rest in all_settings(market(project), "market1501")}
    assert listed["train.epochs"] == ["60", "60"]
    assert listed["train.erasing"] == ["0.5", "not stated"]
    assert listed["model.attention.residual"] == ["no", "not stated"]
    assert listed["train.attention_weight"] == ["0 and 0.01", "0.01"]


def test_when_where_and_how_long(project):
    runs = read_study(project(), paths).runs
    assert period(runs) == "2026-01-01 10:00 to 2026-01-02 10:02 UTC"
    assert machines(runs) == ["6 on CPU (x86_64, 2 threads), fp32, 1 process"]
    assert mean_time(runs) == "2 min 3 s"
    assert commits(runs) == ["0123456789ab"]
    runs[0].training["git"] = {"commit": "fedcba9876543210", "dirty": True}
    assert commits(runs)[0] == "fedcba987654 with uncommitted changes"
    runs[0].training["git"] = {"commit": None, "dirty": None}
    assert commits(runs)[0] == "outside a git repository"


@pytest.mark.parametrize(
    ("seconds", "words"), [(42.4, "42 s"), (723, "12 min 3 s"), (19200, "5 h 20 min")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("ours", "seeds", "words"),
    [
        ((0.45, 0.46), (1, 2), "more than the spread of that difference over 2 seeds"),
        ((0.30, 0.60), (1, 2), "so not a finding"),
        ((0.45,), (1,), "With 1 seed, no spread, that is not a finding"),
        ((0.35,), (1,), "no other form is above it. With 1 seed, no spread, that is not a"),
        ((0.30, 0.31), (1, 2), "Baseline has the highest mAP, 40.0 ± 0.0 %: no other form"),
    ],
)
def test_the_finding_is_no_more_than_the_seeds_allow(project, ours, seeds, words):
    scores = {("s_times_c", seed): {"mAP": value} for seed, value in zip(seeds, ours, strict=True)}
    config = project(variants=("baseline", "s_times_c"), seeds=seeds, scores=scores)
    study = read_study(config, paths)
    assert words in finding(study, summarise(study), "synthetic")
