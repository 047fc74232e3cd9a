import json

import pytest

from capnet.engine.run_files import RunFilesError, read_run
from tests.fake_runs import HISTORY, METRICS, write_run


def test_metrics_of_another_training_wait(tmp_path):
    folder = write_run(
        tmp_path / "run", fingerprint="new", metrics=METRICS | {"trainings": ["old"]}
    )
    page = write_run(tmp_path / "page") / "training.json"

    files = read_run("k", folder, {"index.html": page})

    assert files.metrics == {}
    assert set(files.artifacts) == {"training.json", "history.csv"}


def test_metrics_of_this_training_count(tmp_path):
    folder = write_run(tmp_path, fingerprint="new", metrics=METRICS | {"trainings": ["new"]})
    files = read_run("k", folder, {})
    assert files.metrics["rank1"] == 0.75
    assert set(files.artifacts) == {"training.json", "history.csv", "metrics.json"}


def test_scores_on_another_data_set_stand_under_its_name(tmp_path):
    folder = write_run(tmp_path, fingerprint="new", metrics=METRICS | {"trainings": ["new"]})
    for target, training in (("market1501", "new"), ("dukemtmc", "old")):
        scores = {"trainings": [training], "target": target, "rank1": 0.125, "protocol": []}
        (folder / f"transfer_{target}.json").write_text(json.dumps(scores))
    files = read_run("k", folder, {})
    assert files.points()["on_market1501_rank1", 4] == 0.125
    assert not [name for name, _ in files.points() if "dukemtmc" in name]
    assert "transfer_market1501.json" in files.artifacts


def test_a_training_that_has_just_begun_has_no_points(tmp_path):
    folder = write_run(tmp_path, metrics=None)
    (folder / "history.csv").unlink()
    training = json.loads((folder / "training.json").read_text())
    for name in ("finished", "seconds", "images_per_second"):
        del training[name]
    (folder / "training.json").write_text(json.dumps(training))

    files = read_run("k", folder, {})

    assert files.points() == {}
    assert files.moment("finished") is None


def test_digests_follow_the_bytes(tmp_path):
    before = read_run("k", write_run(tmp_path, metrics=None, history=HISTORY[:2]), {}).digests
    after = read_run("k", write_run(tmp_path, metrics=None), {}).digests
    assert before["training.json"] == after["training.json"]
    assert before["history.csv"] != after["history.csv"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("training.json", "{"),
        ("training.json", "{}"),
        ("training.json", "[]"),
        ("metrics.json", "no"),
        ("history.csv", "loss\n1.0\n"),
        ("history.csv", "epoch,loss\n1,low\n"),
        ("history.csv", "epoch,loss\n1\n"),
        ("history.csv", "epoch,loss\n1,2,3\n"),
    ],
)
def test_a_broken_file_is_named(tmp_path, name, content):
    folder = write_run(tmp_path)
    (folder / name).write_text(content)
    with pytest.raises(RunFilesError, match=name):
        read_run("k", folder, {})


def test_a_missing_figure_is_named(tmp_path):
    with pytest.raises(RunFilesError, match=r"gone\.png"):
        read_run("k", write_run(tmp_path), {"figures/gone.png": tmp_path / "gone.png"})
