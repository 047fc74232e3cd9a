"""Networks evaluated on the data sets of grid.transfer."""

import json
from copy import deepcopy

import pytest

from pipeline import paths

pytestmark = pytest.mark.slow


def with_another(params):
    """A second drawn data set, on which every network is evaluated."""
    other = deepcopy(params["datasets"]["synthetic"])
    other["root"] = "data/prepared/other/images"
    other["generate"].update(seed=2, test_ids=3)
    params["datasets"]["other"] = other
    params["grid"].update(datasets=["synthetic", "other"], variants=["baseline"])
    params["grid"]["transfer"] = ["other"]


def test_a_network_is_scored_on_another_data_set_and_on_its_own_alike(project):
    project.params(with_another)
    project.done("dvc", "repro")

    def scores(path):
        return json.loads((project.root / path).read_text())

    away = scores(paths.transferred("synthetic-baseline-1", "other"))
    assert away["target"] == "other"
    assert away["counts"]["queries"] == 6  # 3 people, 2 cameras

    home = scores(paths.results("other-baseline-1") / "metrics.json")
    facts = dict(home["evaluated"])
    assert {"device", "precision", "processes", "torch", "capnet", "commit"} <= facts.keys()
    again = scores(paths.transferred("other-baseline-1", "other"))
    assert {name: home[name] for name in again if name != "target"} == {
        name: value for name, value in again.items() if name != "target"
    }
    table = (project.root / paths.TABLES / "transfer.csv").read_text().splitlines()
    assert table[0] == "trained_on,variant,tested_on,rank1,mAP,rank1_std,mAP_std"
    assert len(table) == 3


def test_a_target_that_is_not_prepared_is_named(project):
    project.params(lambda content: content["grid"].update(transfer=["market1501"]))
    run = project.run("dvc", "repro")
    assert run.returncode != 0
    assert "grid: transfer names market1501; add it to datasets" in run.stderr
