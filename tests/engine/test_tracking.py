from datetime import UTC, datetime
from pathlib import Path

import pytest

from capnet.engine.run_files import read_run
from capnet.engine.store import Store, opened
from capnet.engine.tracking import NOTHING, project
from tests.fake_runs import HISTORY, METRICS, MLFLOW_WARNINGS, SEEDS, shared_store, write_run

pytest.importorskip("mlflow")
pytestmark = MLFLOW_WARNINGS
STARTED = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with opened(shared_store(tmp_path_factory)) as store:
        yield store


@pytest.fixture
def seed():
    return next(SEEDS)


def runs_of(store, seed):
    return store.client.search_runs([store.experiment], f"tags.seed = '{seed}'")


def history(store, run_id, name):
    return sorted((m.step, m.value) for m in store.client.get_metric_history(run_id, name))


def everything(store, seed):
    """All that the store holds of a cell: runs, points with their times, artifacts."""
    found = {}
    for run in runs_of(store, seed):
        run_id = run.info.run_id
        points = [
            (m.key, m.step, m.value, m.timestamp)
            for name in sorted(run.data.metrics)
            for m in store.client.get_metric_history(run_id, name)
        ]
        artifacts = sorted(file.path for file in store.client.list_artifacts(run_id))
        found[run_id] = (run.to_dictionary(), points, artifacts)
    return found


class Recorder:
    """A client that notes its uploads, and may fail at the first one."""

    def __init__(self, client, fail=False):
        self.client, self.fail, self.uploads = client, fail, []

    def __getattr__(self, name):
        return getattr(self.client, name)

    def log_artifact(self, run_id, path, folder):
        if self.fail:
            raise ConnectionError("the server went away")
        self.uploads.append(path.rpartition("/")[2])
        self.client.log_artifact(run_id, path, folder)


def test_a_run_equals_its_files(store, tmp_path, seed):
    figure = tmp_path / "figure.png"
    figure.write_bytes(b"picture")
    folder = write_run(tmp_path / "run", "s_times_c", seed)

    run_id, _ = project(store, read_run("the-key", folder, {"figures/figure.png": figure}), NOTHING)

    run = store.client.get_run(run_id)
    assert run.info.run_name == "the-key"
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (STARTED, STARTED + 600_000)
    assert run.data.params == {
        "dataset": "synthetic",
        "variant": "s_times_c",
        "seed": str(seed),
        "form": "s_times_c",
        "model.backbone": "resnet10",
        "model.weights": "null",
        "model.last_stride": "1",
        "model.attention.sigma": "3.141592653589793",
        "model.attention.residual": "false",
        "train.epochs": "4",
        "train.learning_rate": "0.00035",
        "train.decay_epochs": "[30, 50]",
        "train.precision": "fp32",
    }
    own_tags = {n: v for n, v in run.data.tags.items() if not n.startswith("mlflow.")}
    assert own_tags == {
        "dataset": "synthetic",
        "variant": "s_times_c",
        "seed": str(seed),
        "capnet.fingerprint": "f1",
        "capnet.current": "true",
        "git_commit": "c0ffee",
        "git_dirty": "false",
        "dvc_stage": "train@the-key",
        "device": "CPU",
        "processes": "2",
        "precision": "fp32",
    }
    assert run.data.tags["mlflow.source.git.commit"] == "c0ffee"
    assert "the-key" in run.data.tags["mlflow.note.content"]
    assert run.data.metrics == {
        "learning_rate": 4e-4,
        "loss": 1.875,
        "identity_loss": 1.0625,
        "accuracy": 0.4,
        "rank1": 0.75,
        "rank5": 0.875,
        "mAP": 0.5,
        "mINP": 0.125,
        "wrong_in_top10": 3.5,
        "reranked_rank1": 0.8,
        "reranked_mAP": 0.6,
        "reranked_mINP": 0.2,
        "localisation_chance": 0.3,
        "localisation_cam_pixel_ap": 0.55,
        "localisation_cam_energy": 0.45,
        "localisation_cam_pointing": 0.9,
        "localisation_spatial_pixel_ap": 0.65,
        "localisation_spatial_energy": 0.5,
        "localisation_spatial_pointing": 0.95,
        "test_rank1": 0.75,
        "test_mAP": 0.5,
        "seconds": 590.5,
        "images_per_second": 42.25,
    }
    assert history(store, run_id, "loss") == [(1, 7.5), (2, 3.75), (3, 2.5), (4, 1.875)]
    assert history(store, run_id, "test_mAP") == [(2, 0.25), (4, 0.5)]
    assert history(store, run_id, "mAP") == [(4, 0.5)]
    times = [m.timestamp for m in store.client.get_metric_history(run_id, "loss")]
    assert times == [STARTED + 150_000 * epoch for epoch in (1, 2, 3, 4)]
    names = {file.path for file in store.client.list_artifacts(run_id)}
    assert names == {"training.json", "history.csv", "metrics.json", "figures"}
    copy = store.client.download_artifacts(run_id, "figures/figure.png", str(tmp_path))
    assert Path(copy).read_bytes() == b"picture"


def test_a_second_copy_adds_nothing(store, tmp_path, seed):
    files = read_run("k", write_run(tmp_path, seed=seed), {})
    before = project(store, files, NOTHING)
    first = everything(store, seed)

    assert project(store, files, before) == before
    assert project(store, files, NOTHING) == before  # the stamp was lost

    assert everything(store, seed) == first


def test_a_run_under_way_is_completed(store, tmp_path, seed):
    folder = write_run(tmp_path, seed=seed, history=HISTORY[:2], metrics=None)
    begun = project(store, read_run("k", folder, {}), NOTHING)
    run = store.client.get_run(begun.run)
    assert run.info.status == "RUNNING"
    assert history(store, begun.run, "loss") == [(1, 7.5), (2, 3.75)]

    ended = project(store, read_run("k", write_run(tmp_path, seed=seed), {}), begun)

    assert ended.run == begun.run
    assert history(store, ended.run, "loss") == [(1, 7.5), (2, 3.75), (3, 2.5), (4, 1.875)]
    assert store.client.get_run(ended.run).data.metrics["mAP"] == 0.5
    assert store.client.get_run(ended.run).info.status == "FINISHED"


def test_an_interrupted_copy_is_completed(store, tmp_path, seed):
    files = read_run("k", write_run(tmp_path, seed=seed), {})
    with pytest.raises(ConnectionError):
        project(Store(Recorder(store.client, fail=True), store.experiment), files, NOTHING)

    run_id, _ = project(store, files, NOTHING)

    assert [run.info.run_id for run in runs_of(store, seed)] == [run_id]
    assert history(store, run_id, "loss") == [(1, 7.5), (2, 3.75), (3, 2.5), (4, 1.875)]
    assert store.client.get_run(run_id).info.status == "FINISHED"
    assert len(store.client.list_artifacts(run_id)) == 3


def test_another_fingerprint_is_a_new_run(store, tmp_path, seed):
    folder = write_run(tmp_path, seed=seed, fingerprint="old", metrics=None)
    old = project(store, read_run("k", folder, {}), NOTHING)
    folder = write_run(tmp_path, seed=seed, fingerprint="new")
    new = project(store, read_run("k", folder, {}), old)

    runs = {run.info.run_id: run for run in runs_of(store, seed)}
    assert set(runs) == {old.run, new.run}
    assert runs[old.run].data.tags["capnet.current"] == "false"
    assert runs[old.run].info.status == "KILLED"
    assert history(store, old.run, "loss") == [(1, 7.5), (2, 3.75), (3, 2.5), (4, 1.875)]
    assert runs[new.run].data.tags["capnet.current"] == "true"
    assert len(store.client.list_artifacts(new.run)) == 3


def test_an_older_result_that_returns_is_current_again(store, tmp_path, seed):
    folders = [
        write_run(tmp_path / name, seed=seed, fingerprint=name) for name in ("old", "new", "old")
    ]
    first, second, third = (
        project(store, read_run("k", folder, {}), NOTHING).run for folder in folders
    )
    assert first == third != second
    current = {run.info.run_id: run.data.tags["capnet.current"] for run in runs_of(store, seed)}
    assert current == {first: "true", second: "false"}


def test_a_repeated_training_is_a_new_run(store, tmp_path, seed):
    first = project(store, read_run("k", write_run(tmp_path, seed=seed), {}), NOTHING)
    other = [row | {"loss": row["loss"] + 0.5} for row in HISTORY]
    second = project(store, read_run("k", write_run(tmp_path, seed=seed, history=other), {}), first)
    assert second.run != first.run
    assert history(store, second.run, "loss") == [(1, 8.0), (2, 4.25), (3, 3.0), (4, 2.375)]
    assert history(store, first.run, "loss") == [(1, 7.5), (2, 3.75), (3, 2.5), (4, 1.875)]


def test_values_that_are_not_finite_are_copied_once(store, tmp_path, seed):
    odd = [HISTORY[0] | {"loss": float("nan"), "identity_loss": float("inf")}]
    files = read_run("k", write_run(tmp_path, seed=seed, history=odd, metrics=None), {})
    first = project(store, files, NOTHING)
    second = project(store, files, NOTHING)
    assert first == second
    assert len(history(store, first.run, "loss")) == 1
    assert len(history(store, first.run, "identity_loss")) == 1


def test_a_new_evaluation_replaces_the_final_metrics(store, tmp_path, seed):
    first = project(store, read_run("k", write_run(tmp_path, seed=seed), {}), NOTHING)
    folder = write_run(tmp_path, seed=seed, metrics=METRICS | {"rank1": 0.25})  # a lower one
    second = project(store, read_run("k", folder, {}), first)
    assert second.run == first.run
    metrics = store.client.get_run(first.run).data.metrics
    assert (metrics["rank1"], metrics["mAP"]) == (0.25, 0.5)
    assert history(store, first.run, "mAP") == [(4, 0.5)]
    assert len(history(store, first.run, "loss")) == 4


def test_only_changed_artifacts_are_sent_again(store, tmp_path, seed):
    folder = write_run(tmp_path / "run", seed=seed)
    attached = {name: tmp_path / name for name in ("index.html", "a.png")}
    for path in attached.values():
        path.write_text("old")
    recorder = Recorder(store.client)
    recorded = Store(recorder, store.experiment)
    before = project(recorded, read_run("k", folder, attached), NOTHING)
    assert len(recorder.uploads) == 5

    recorder.uploads.clear()
    (tmp_path / "a.png").write_text("new")
    project(recorded, read_run("k", folder, attached), before)

    assert recorder.uploads == ["a.png"]


def test_a_long_history_is_whole(store, tmp_path, seed):
    long = [HISTORY[0] | {"epoch": epoch} for epoch in range(1, 302)]  # 301 x 4 > 1000 points
    files = read_run("k", write_run(tmp_path, seed=seed, history=long, metrics=None), {})
    run_id, _ = project(store, files, NOTHING)
    assert [step for step, _ in history(store, run_id, "accuracy")] == list(range(1, 302))
