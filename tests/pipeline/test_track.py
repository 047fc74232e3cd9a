import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import pipeline
from capnet.engine.store import TrackingError, opened
from pipeline import track
from tests.fake_runs import HISTORY, MLFLOW_WARNINGS, SEEDS, shared_store, write_run

pytestmark = MLFLOW_WARNINGS
SOURCE = Path(pipeline.__file__).parents[1]
VARIANTS = ("baseline", "s")


@pytest.fixture
def seed():
    return next(SEEDS)


@pytest.fixture
def root(tmp_path, seed):
    """A project with two evaluated runs, figures and a page."""
    params = (SOURCE / "params.yaml").read_text()
    params = re.sub(r"(?m)^  variants: \[.*", f"  variants: [{', '.join(VARIANTS)}]", params)
    params = re.sub(r"(?m)^  seeds: \[.*", f"  seeds: [{seed}]", params)
    (tmp_path / "params.yaml").write_text(params)
    for variant in VARIANTS:
        write_run(tmp_path / f"reports/runs/synthetic-{variant}-{seed}", variant, seed)
    for folder in ("reports/figures/synthetic", "reports/figures/other", "data/figures/synthetic"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{folder.replace('/', '_')}.png").write_bytes(b"picture")
    (tmp_path / "reports/index.html").write_text("<h1>Report</h1>")
    return tmp_path


@pytest.fixture
def uri(tmp_path_factory, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared_store(tmp_path_factory))
    return shared_store(tmp_path_factory)


@pytest.fixture
def dead_server(monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return address


@pytest.fixture
def no_mlflow(monkeypatch):
    """Show that nothing reached for MLflow."""
    monkeypatch.setitem(sys.modules, "mlflow", None)


def command(root, *arguments, **variables):
    """Start the command in a project that has no store yet."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("MLFLOW_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.track", *arguments],
        cwd=root,
        env=environment | {"PYTHONPATH": str(SOURCE)} | variables,
        stderr=subprocess.PIPE,
        text=True,
    )


def runs_in(uri, seed):
    with opened(uri) as store:
        return store.client.search_runs([store.experiment], f"tags.seed = '{seed}'")


def test_every_cell_becomes_a_run_with_figures_and_page(root, uri, seed):
    ids = track.sync(root)

    assert set(ids) == {f"synthetic-baseline-{seed}", f"synthetic-s-{seed}"}
    found = runs_in(uri, seed)
    assert {run.info.run_name: run.info.run_id for run in found} == ids
    with opened(uri) as opened_store:
        for run_id in ids.values():
            listed = opened_store.client.list_artifacts
            names = {file.path for file in listed(run_id)}
            assert names == {
                "training.json",
                "history.csv",
                "metrics.json",
                "index.html",
                "figures",
            }
            (figure,) = listed(run_id, "figures/synthetic")  # not of real people, nor another set's
            assert figure.path == "figures/synthetic/reports_figures_synthetic.png"


def test_nothing_new_is_known_without_mlflow(root, uri, monkeypatch, caplog):
    ids = track.sync(root)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert track.sync(root) == ids
    track.sync_best_effort(root)
    assert [record for record in caplog.records if record.name == track.log.name] == []


@pytest.mark.parametrize("change", ["lost", "garbled", "of another store"])
def test_a_useless_stamp_adds_nothing(root, uri, seed, change):
    ids = track.sync(root)
    stamp = root / track.STAMP
    if change == "lost":
        stamp.unlink()
    elif change == "garbled":
        stamp.write_text("[]")
    else:
        stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"uri": "http://other"}))
    assert track.sync(root) == ids
    assert len(runs_in(uri, seed)) == 2


def test_a_stamp_without_its_store_is_ignored(root, uri, monkeypatch):
    track.sync(root)
    stamp = root / track.STAMP
    gone = f"sqlite:///{root}/mlflow.db"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"uri": gone}))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", gone)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(TrackingError, match="pip install mlflow"):  # it wanted to copy again
        track.sync(root)


def test_a_training_under_way_is_followed_to_its_end(root, uri, seed):
    key = f"synthetic-s-{seed}"
    results, work = root / "reports/runs" / key, root / "models/work" / key
    for path in results.iterdir():
        path.unlink()
    write_run(work, "s", seed, history=HISTORY[:2], metrics=None)
    begun = track.sync(root)[key]
    write_run(work, "s", seed, history=HISTORY[:3], metrics=None)
    assert track.sync(root)[key] == begun
    write_run(results, "s", seed)
    assert track.sync(root)[key] == begun

    (run,) = (run for run in runs_in(uri, seed) if run.info.run_id == begun)
    assert run.info.status == "FINISHED"
    with opened(uri) as opened_store:
        losses = opened_store.client.get_metric_history(begun, "loss")
    assert sorted((m.step, m.value) for m in losses) == [(1, 7.5), (2, 3.75), (3, 2.5), (4, 1.875)]


def test_a_new_training_leaves_one_current_run_per_cell(root, uri, seed):
    track.sync(root)
    write_run(root / f"reports/runs/synthetic-s-{seed}", "s", seed, fingerprint="f2")
    ids = track.sync(root)
    current = {
        run.info.run_id for run in runs_in(uri, seed) if run.data.tags["capnet.current"] == "true"
    }
    assert current == set(ids.values())
    assert len(runs_in(uri, seed)) == 3


def test_a_dead_server_is_told_and_best_effort_goes_on(root, dead_server, no_mlflow, caplog):
    with pytest.raises(TrackingError, match="does not answer"):
        track.sync(root)
    track.sync_best_effort(root)
    (line,) = caplog.messages
    assert "does not answer" in line
    assert "results are safe" in line
    assert "python -m pipeline.track" in line


def test_a_later_copy_fills_the_gap(root, uri, dead_server, seed, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", dead_server)
    track.sync_best_effort(root)
    assert "does not answer" in caplog.text
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert len(track.sync(root)) == 2
    assert len(runs_in(uri, seed)) == 2


def test_the_command_ends_with_one_line_when_the_server_is_dead(root, dead_server):
    process = command(root, MLFLOW_TRACKING_URI=dead_server)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert re.fullmatch(r".*does not answer.*results are safe.*python -m pipeline\.track.*\n", said)


def test_without_mlflow_the_remedy_is_named(root, no_mlflow, monkeypatch, caplog):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(TrackingError, match="pip install mlflow"):
        track.sync(root)
    track.sync_best_effort(root)
    assert "pip install mlflow" in caplog.text
    assert not (root / "mlflow.db").exists()


def test_without_runs_mlflow_is_not_needed(root, seed, no_mlflow):
    for variant in VARIANTS:
        (root / f"reports/runs/synthetic-{variant}-{seed}/training.json").unlink()
    assert track.sync(root) == {}


def test_broken_params_do_not_harm_best_effort(root, caplog):
    (root / "params.yaml").write_text("grid: 1")
    track.sync_best_effort(root)
    assert "params.yaml" in caplog.text


@pytest.mark.slow
@pytest.mark.distributed
def test_two_first_copies_at_once_make_one_run_per_cell(root, seed):
    pytest.importorskip("mlflow")
    both = [command(root), command(root)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert (root / "mlruns").is_dir()
    found = runs_in(f"sqlite:///{root}/mlflow.db", seed)
    assert sorted(run.info.run_name for run in found) == [
        f"synthetic-baseline-{seed}",
        f"synthetic-s-{seed}",
    ]


@pytest.mark.slow
@pytest.mark.distributed
def test_the_ui_shows_the_runs_until_it_is_interrupted(root):
    pytest.importorskip("mlflow")
    process = command(root, "--ui")
    lines = [process.stderr.readline() for _ in range(4)][1:]
    assert lines[2] == "Ctrl-C stops\n", lines
    address = re.search(r"http://127\.0\.0\.1:\d+", lines[0]).group()
    with urllib.request.urlopen(f"{address}/", timeout=30) as page:
        assert page.status == 200
    ids = [run for run, _ in json.loads((root / track.STAMP).read_text())["runs"].values()]
    assert all(run in lines[1] for run in ids)

    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == "stopped\n"
    assert process.returncode == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{address}/", timeout=5)
