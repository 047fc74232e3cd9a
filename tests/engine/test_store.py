import fcntl
import shutil
import socket
import sys
from pathlib import Path

import pytest

from capnet.engine.store import (
    TrackingError,
    database,
    locked,
    opened,
    served,
    shown,
    store_uri,
)
from tests.fake_runs import MLFLOW_WARNINGS, shared_store

pytestmark = MLFLOW_WARNINGS


@pytest.fixture
def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_default_store_is_a_file_with_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert store_uri(Path()) == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    assert database(store_uri(Path())) == tmp_path.resolve() / "mlflow.db"


def test_the_environment_names_another_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert store_uri(tmp_path) == "http://server:5000"
    assert database("http://server:5000") is None


@pytest.mark.parametrize(
    ("uri", "safe"),
    [
        ("http://me:secret@host:5000/a", "http://host:5000/a"),
        ("postgresql://me:secret@host/db", "postgresql://host/db"),
        ("http://host:5000", "http://host:5000"),
        ("sqlite:////disk/me@work/mlflow.db", "sqlite:////disk/me@work/mlflow.db"),
    ],
)
def test_passwords_are_not_shown(uri, safe):
    assert shown(uri) == safe


def test_a_dead_server_is_given_up_before_mlflow_is_imported(closed_port, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(TrackingError, match=f"127.0.0.1:{closed_port} does not answer"):
        opened(f"http://127.0.0.1:{closed_port}").__enter__()


def test_a_server_that_never_answers_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TrackingError, match="does not answer"):
            opened(uri).__enter__()


def test_a_missing_mlflow_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(TrackingError, match="pip install mlflow"):
        opened(f"sqlite:///{tmp_path}/mlflow.db").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_the_experiment_is_made_found_again_and_restored(tmp_path_factory):
    pytest.importorskip("mlflow")
    uri = shared_store(tmp_path_factory)
    with opened(uri) as store:
        made = store.client.get_experiment(store.experiment)
        assert made.name == "capnet"
        assert made.artifact_location == str(database(uri).parent / "mlruns")
        assert made.tags["mlflow.experimentKind"] == "custom_model_development"
        store.client.delete_experiment(store.experiment)
    with opened(uri) as store:
        assert store.experiment == made.experiment_id
        assert store.client.get_experiment(store.experiment).lifecycle_stage == "active"


def test_a_moved_store_is_named(tmp_path, tmp_path_factory):
    pytest.importorskip("mlflow")
    with opened(shared_store(tmp_path_factory)):
        pass
    shutil.copy(database(shared_store(tmp_path_factory)), tmp_path)
    with pytest.raises(TrackingError, match=r"mlflow\.db was made for another folder"):
        opened(f"sqlite:///{tmp_path}/mlflow.db").__enter__()


def test_a_failure_inside_is_told_in_one_line(tmp_path_factory):
    pytest.importorskip("mlflow")
    with (
        pytest.raises(TrackingError, match="No space left on device") as caught,
        opened(shared_store(tmp_path_factory)),
    ):
        raise OSError(28, "No space left on device")
    assert "\n" not in str(caught.value)


def test_the_lock_is_exclusive(tmp_path):
    path = tmp_path / "new" / "lock"
    with locked(path), path.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match=f"port {port}"):
            served(f"sqlite:///{tmp_path}/mlflow.db", port, tmp_path / "log").__enter__()


@pytest.mark.slow
def test_a_ui_that_cannot_start_names_its_log(tmp_path):
    pytest.importorskip("mlflow")
    log = tmp_path / "server.log"
    with pytest.raises(TrackingError, match=r"server\.log says why"):
        served("nonsense://", 0, log).__enter__()
    assert log.read_text()
