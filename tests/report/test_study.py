"""Reading the contract files: only the grid's cells, and one clear error where one is missing."""

import json
from pathlib import Path

import pytest

from capnet.report.study import ReportError, read_study
from pipeline import paths
from tests.report.conftest import write_json

KEY = "synthetic-s-2"


def test_runs_come_in_the_grids_order(project):
    study = read_study(project(), paths)
    assert [(run.variant, run.seed) for run in study.of("synthetic")] == [
        (variant, seed) for variant in ("baseline", "s", "s_times_c") for seed in (1, 2)
    ]
    assert [run.seed for run in study.of("synthetic", "s")] == [1, 2]


def test_a_run_outside_the_grid_does_not_enter(project):
    project(seeds=(1, 2, 3))
    config = project(seeds=(1, 2))
    assert {run.seed for run in read_study(config, paths).runs} == {1, 2}


@pytest.mark.parametrize(
    "file",
    [
        paths.results(KEY) / "training.json",
        paths.results(KEY) / "metrics.json",
        paths.results(KEY) / "history.csv",
        paths.evaluated(KEY) / "overlays.npz",
        paths.evaluated(KEY) / "ranks.json",
    ],
)
def test_a_missing_cell_is_named_with_the_remedy(project, file: Path):
    config = project()
    file.unlink()
    with pytest.raises(ReportError, match=rf"{file.name}: not found.*{KEY}.*dvc repro"):
        read_study(config, paths)


def test_a_missing_data_card_is_named(project):
    config = project()
    paths.card("synthetic").unlink()
    with pytest.raises(ReportError, match=r"synthetic\.json: not found; run `dvc repro`"):
        read_study(config, paths)


def test_broken_json_is_named(project):
    config = project()
    (paths.results(KEY) / "metrics.json").write_text('{"rank1": ', encoding="utf-8")
    with pytest.raises(ReportError, match=r"metrics\.json: not readable as JSON"):
        read_study(config, paths)


def test_a_missing_key_is_named(project):
    config = project()
    file = paths.results(KEY) / "metrics.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["mINP"]
    write_json(file, content)
    with pytest.raises(ReportError, match=r"metrics\.json: lacks mINP"):
        read_study(config, paths)


def test_a_history_without_its_columns_is_refused(project):
    config = project()
    (paths.results(KEY) / "history.csv").write_text("epoch,loss\n1,2.0\n", encoding="utf-8")
    with pytest.raises(ReportError, match=r"history\.csv: lacks .*learning_rate"):
        read_study(config, paths)


def test_a_training_on_other_images_is_refused(project):
    config = project()
    file = paths.results(KEY) / "training.json"
    write_json(file, json.loads(file.read_text(encoding="utf-8")) | {"manifest_sha256": "older"})
    with pytest.raises(ReportError, match=f"{KEY} was trained on other images"):
        read_study(config, paths)


def test_the_reference_variant_must_be_in_the_grid(project):
    config = project(variants=("s", "s_times_c"))
    with pytest.raises(ReportError, match=r"report\.reference_variant: 'baseline' is not one of"):
        read_study(config, paths)


def test_people_count_as_drawn_only_if_params_and_card_agree(project):
    study = read_study(project(datasets=("synthetic", "market1501")), paths)
    assert study.drawn("synthetic")
    assert not study.drawn("market1501")
    study.cards["synthetic"]["drawn"] = False
    study.cards["market1501"]["drawn"] = True
    assert not study.drawn("synthetic")
    assert not study.drawn("market1501")
