"""The table of networks on data sets that they were not trained on."""

import pytest

from capnet.report.aggregate import summarise
from capnet.report.build import write_report
from capnet.report.study import ReportError, read_study
from capnet.report.transfer_table import transfer_table
from capnet.settings import Grid
from pipeline import paths
from tests.report.conftest import write_json

SCORES = {"baseline": {1: 0.25, 2: 0.75}, "s": {1: 0.125, 2: 0.125}}


def transferring(config):
    """The same project with every network also scored on its own data set."""
    for variant, by_seed in SCORES.items():
        for seed, value in by_seed.items():
            path = paths.transferred(paths.run_key("synthetic", variant, seed), "synthetic")
            write_json(path, {"rank1": value, "mAP": value / 2, "mINP": 0.0, "protocol": []})
    grid = Grid(datasets=["synthetic"], variants=list(SCORES), seeds=[1, 2], transfer=["synthetic"])
    return config.model_copy(update={"grid": grid})


def test_without_targets_there_is_no_table(project):
    study = read_study(project(), paths)
    assert transfer_table(study, summarise(study)) is None


def test_mean_and_spread_over_seeds(project):
    study = read_study(transferring(project(variants=tuple(SCORES))), paths)
    data = transfer_table(study, summarise(study)).data
    assert data["variant"].tolist() == ["baseline", "s"]
    assert set(data["tested_on"]) == set(data["trained_on"])
    assert data["rank1"].tolist() == pytest.approx([50, 12.5])
    assert data["mAP"].tolist() == pytest.approx([25, 6.25])
    assert data["rank1_std"].tolist() == pytest.approx([35.35534, 0])


def test_the_page_shows_the_table_and_a_file_holds_it(project):
    write_report(transferring(project(variants=tuple(SCORES))), paths)
    assert 'id="transfer"' in paths.PAGE.read_text()
    assert (paths.TABLES / "transfer.md").is_file()


def test_a_missing_result_is_named(project):
    config = transferring(project(variants=tuple(SCORES)))
    path = paths.transferred("synthetic-s-2", "synthetic")
    path.unlink()
    with pytest.raises(ReportError, match=r"transfer_synthetic\.json: not found; run `dvc repro`"):
        read_study(config, paths)
