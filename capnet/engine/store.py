"""MLflow's store of runs: where it is, opening it, and showing it in a browser.

mlflow is an optional package whose import takes seconds, so nothing here imports it before a store
is opened, and training never does.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from capnet.errors import UserError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "capnet"
SQLITE = "sqlite:///"
QUIET = {  # nothing is fetched or reported, no job runner
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}


class TrackingError(UserError):
    """MLflow cannot take or show the runs; the message says why, and what to do where we know."""


@dataclass(frozen=True)
class Store:
    """An open store: the client, and the id of the experiment that holds every run."""

    client: MlflowClient
    experiment: str


def store_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI where it is set, else the SQLite file mlflow.db in `root`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{(root / 'mlflow.db').resolve()}"


def shown(uri: str) -> str:
    """Return `uri` (or a text that holds it) without user name and password."""
    return re.sub(r"//[^/@\s]+@", "//", uri)


def database(uri: str) -> Path | None:
    """Return the file of a SQLite store, None for any other."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, which keeps two syncs apart.

    Without it both would create the tables of a new SQLite store, where one fails, and both would
    create the same run.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def opened(uri: str) -> Iterator[Store]:
    """Yield the store at `uri`, made where it does not exist; the caller holds the lock.

    A server that does not answer is given up within seconds. TrackingError: mlflow is not
    installed, or MLflow or its disk failed, here or inside the `with` block.
    """
    if uri.startswith("http"):
        _require_answer(uri)
    os.environ.update(QUIET)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise TrackingError("MLflow is not installed; run `pip install mlflow`") from None
    try:
        client = MlflowClient(tracking_uri=uri)
        yield Store(client, _experiment(client, database(uri)))
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise TrackingError(shown(f"MLflow at {uri}: {_reason(error)}")) from error


def _require_answer(uri: str) -> None:
    """Give up a server that is not there, before mlflow is imported and tries for minutes."""
    uri = shown(uri)
    try:
        urllib.request.urlopen(f"{uri}/health", timeout=2).close()
    except urllib.error.HTTPError:
        return  # whatever it says, it answers
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if not isinstance(reason, ssl.SSLError):  # mlflow may know its certificate
            raise TrackingError(f"the MLflow server {uri} does not answer: {reason}") from None


def _experiment(client: MlflowClient, file: Path | None) -> str:
    """Return the experiment's id; a local store keeps its artifacts beside its file."""
    artifacts = str(file.resolve().parent / "mlruns") if file else None
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=tags))
    if artifacts and found.artifact_location != artifacts:
        raise TrackingError(
            f"{file} was made for another folder ({found.artifact_location}); delete it: "
            "it holds copies alone, and the next sync makes it anew"
        )
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _reason(error: BaseException) -> str:
    """Return what the system said (connection refused, disk full), else MLflow's first line."""
    root = error
    while (cause := root.__cause__ or root.__context__) is not None:
        root = cause
    text = str(root if isinstance(root, OSError) else error)
    return (text.strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def served(uri: str, port: int, log: Path) -> Iterator[str]:
    """Show the store at `uri` in MLflow's UI on this machine; yield its address; stop it at exit.

    port: 0 takes a free one. log: receives the server's output. TrackingError: the port is taken,
    or the server does not start.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TrackingError(f"port {port}: {error.strerror}; choose another") from None
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            env=os.environ | QUIET,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop the whole group
        )
    try:
        _await(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _await(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise TrackingError(f"MLflow's UI did not start; {log} says why")
