"""A run's files projected into MLflow: its run is created, or completed, and never doubled.

DVC owns the files and MLflow shows them, so any store can be filled again from the files.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from capnet.engine.run_files import CURRENT, FINGERPRINT, Points, RunFiles
from capnet.engine.store import Store

if TYPE_CHECKING:
    from mlflow.entities import Run

METRICS_PER_BATCH = 1000  # MLflow's limit


class Copied(NamedTuple):
    """What the store holds of a cell: the id of its current run, and its artifacts' digests."""

    run: str
    files: dict[str, str]


NOTHING = Copied("", {})


def project(store: Store, files: RunFiles, before: Copied) -> Copied:
    """Make the store's run equal to its files, and the current one of its cell.

    before: what the last call for this cell returned, or NOTHING. Only what is missing or has
    changed is sent. A training with another fingerprint, or repeated with another history, becomes
    a new run; the cell's older runs stay, tagged capnet.current=false. Raises what MLflow raises.
    """
    client = store.client
    cell = " and ".join(f"tags.{name} = '{value}'" for name, value in files.cell.items())
    runs = client.search_runs([store.experiment], cell, order_by=["attributes.start_time DESC"])
    wanted = files.points()
    run, logged = _continued(store, runs, files, {name for name, _ in wanted})
    run_id = str(run.info.run_id)
    _log(store, run, files, _differing(wanted, logged))
    uploaded = before.files if before.run == run_id else {}
    for name, path in files.artifacts.items():
        if uploaded.get(name) != files.digests[name]:
            client.log_artifact(run_id, str(path), name.rpartition("/")[0] or None)
    if files.metrics and run.info.status != "FINISHED":
        client.set_terminated(run_id, "FINISHED", files.moment("finished"))
    for other in runs:
        if other.info.run_id != run_id:
            _retire(store, other)
    return Copied(run_id, files.digests)


def _continued(
    store: Store, runs: list[Run], files: RunFiles, names: set[str]
) -> tuple[Run, Points]:
    """Return this training's run, or a new one, and the points of the named metrics it holds."""
    for run in runs:
        if run.data.tags.get(FINGERPRINT) == files.training["fingerprint"]:
            logged = _logged(store, run, names)
            if not any(point in logged for point in _differing(files.history, logged)):
                return run, logged  # no epoch that it holds reads otherwise now
    run = store.client.create_run(
        store.experiment,
        start_time=files.moment("started"),
        tags=files.tags(),
        run_name=files.key,
    )
    return run, {}


def _retire(store: Store, run: Run) -> None:
    if run.data.tags.get(CURRENT) != "false":
        store.client.set_tag(run.info.run_id, CURRENT, "false")
    if run.info.status == "RUNNING":
        store.client.set_terminated(run.info.run_id, "KILLED")


def _logged(store: Store, run: Run, names: set[str]) -> Points:
    """Return the newest value of each point that the run holds."""
    metrics = [
        metric
        for name in names & set(run.data.metrics)
        for metric in store.client.get_metric_history(run.info.run_id, name)
    ]
    return {(m.key, m.step): m.value for m in sorted(metrics, key=lambda m: int(m.timestamp))}


def _differing(wanted: Points, logged: Points) -> Points:
    """Return the wanted points that are missing or other; stores bend inf, and nan equals none."""
    return {
        point: value
        for point, value in wanted.items()
        if point not in logged or (math.isfinite(value) and logged[point] != value)
    }


def _log(store: Store, run: Run, files: RunFiles, points: Points) -> None:
    from mlflow.entities import Metric, Param, RunTag

    params = [Param(n, v) for n, v in files.params().items() if n not in run.data.params]
    tags = [RunTag(n, v) for n, v in files.tags().items() if run.data.tags.get(n) != v]
    if params or tags:
        store.client.log_batch(run.info.run_id, params=params, tags=tags)

    # history.csv has no clock: its epochs are spread evenly over the training's time.
    now = time.time_ns() // 1_000_000
    began = files.moment("started") or now
    pace = ((files.moment("finished") or now) - began) / files.last_epoch
    metrics = []
    for (name, epoch), value in points.items():
        moment = began + int(pace * epoch) if (name, epoch) in files.history else now
        metrics.append(Metric(name, value, moment, epoch))
    for start in range(0, len(metrics), METRICS_PER_BATCH):
        batch = metrics[start : start + METRICS_PER_BATCH]
        store.client.log_batch(run.info.run_id, metrics=batch)
