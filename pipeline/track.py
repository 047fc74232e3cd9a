"""Copy the runs' files into MLflow, once, or again and again beside its UI.

`python -m pipeline.track [--best-effort | --follow | --ui [--port N]]`. The store is mlflow.db in
the project's root, or what MLFLOW_TRACKING_URI names. Nothing of it is needed to train.
"""

from __future__ import annotations

import argparse
import json
import logging
import signal
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from itertools import product
from pathlib import Path
from urllib.parse import quote, urlencode

from capnet.config import load
from capnet.engine.run_files import CURRENT, RunFiles, read_run
from capnet.engine.store import (
    TrackingError,
    database,
    locked,
    opened,
    served,
    shown,
    store_uri,
)
from capnet.engine.tracking import NOTHING, Copied, project
from capnet.files import write_json
from pipeline import paths
from pipeline.stage import stage

STAMP = paths.work("tracked.json")  # what was copied where; safe to delete
LOCK = paths.work("tracked.lock")
SERVER_LOG = paths.work("mlflow.log")
SECONDS = 10  # between two looks at the files
TRAINING_VIEW = {"workflowType": "machine_learning"}  # the UI's other face is about chat models

LATER = "results are safe on disk; copy them later with `python -m pipeline.track`"

log = logging.getLogger(__name__)


def sync(root: Path) -> dict[str, str]:
    """Copy what is new in the files below `root` into MLflow; return run ids by key.

    Does not touch MLflow when nothing is new. Raises UserError: TrackingError where it is MLflow,
    else the file that cannot be read.
    """
    uri = store_uri(root)
    with locked(root / LOCK):
        copied = _stamp(root / STAMP, uri)
        runs = list(found(root))
        changed = [run for run in runs if copied.get(run.key, NOTHING).files != run.digests]
        if changed:
            with opened(uri) as store:
                for run in changed:
                    copied[run.key] = project(store, run, copied.get(run.key, NOTHING))
                    write_json(root / STAMP, {"uri": shown(uri), "runs": copied})
    return {run.key: copied[run.key].run for run in runs}


def sync_best_effort(root: Path) -> None:
    """Copy as `sync` does, but only warn when that fails: no caller may come to harm by it."""
    try:
        sync(root)
    except Exception as error:
        log.warning("tracking: %s; %s", error, LATER)


def found(root: Path) -> Iterator[RunFiles]:
    """Yield the runs of the grid that have files: results, else those of a training under way."""
    grid = load(root / paths.PARAMS).grid
    page = {paths.PAGE.name: root / paths.PAGE} if (root / paths.PAGE).is_file() else {}
    for dataset, variant, seed in product(grid.datasets, grid.variants, grid.seeds):
        key = paths.run_key(dataset, variant, seed)
        figures = sorted((root / paths.FIGURES / dataset).glob("*.png"))
        attached = page | {f"figures/{dataset}/{figure.name}": figure for figure in figures}
        for folder in (root / paths.results(key), root / paths.work(key)):
            if (folder / "training.json").is_file():
                yield read_run(key, folder, attached)
                break


def show(root: Path, port: int) -> None:
    """Serve the UI, say where, and follow the files until interrupted.

    Where MLFLOW_TRACKING_URI names a server, that one shows the runs.
    """
    log.info("MLflow takes some seconds to start")
    runs, uri = list(sync(root).values()), store_uri(root)
    with locked(root / LOCK), opened(uri) as store:
        experiment = store.experiment
    remote = uri.startswith("http")
    with nullcontext(shown(uri)) if remote else served(uri, port, root / SERVER_LOG) as address:
        log.info("Charts of the current runs: %s/#%s", address, charts(experiment))
        if len(runs) > 1:
            log.info("Side by side: %s/#%s", address, side_by_side(experiment, runs))
        log.info("Ctrl-C stops")
        follow(root)


def charts(experiment: str) -> str:
    """Return the UI's page with the runs table and the charts of all current runs."""
    query = {"compareRunsMode": "CHART", "searchFilter": f'tags.`{CURRENT}` = "true"'}
    return f"/experiments/{experiment}/runs?{urlencode(TRAINING_VIEW | query, quote_via=quote)}"


def side_by_side(experiment: str, runs: list[str]) -> str:
    """Return the UI's page that compares these runs, settings and all; it wants `runs` first."""
    query = {"runs": json.dumps(runs), "experiments": json.dumps([experiment])}
    return f"/compare-runs?{urlencode(query | TRAINING_VIEW, quote_via=quote)}"


def follow(root: Path) -> None:
    """Copy again every few seconds, until interrupted."""
    while True:
        time.sleep(SECONDS)
        sync_best_effort(root)


def _stamp(path: Path, uri: str) -> dict[str, Copied]:
    """Return what was copied to the store at `uri`: nothing, if the store is not there any more."""
    file = database(uri)
    if file is None or file.is_file():
        with suppress(OSError, ValueError, KeyError, TypeError):
            stamp = json.loads(path.read_bytes())
            if stamp["uri"] == shown(uri):
                return {key: Copied(*copied) for key, copied in stamp["runs"].items()}
    return {}


def main() -> None:
    """Copy once, follow, or serve the UI and follow."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.track", description=__doc__)
    parser.add_argument("--follow", action="store_true", help="go on copying until Ctrl-C")
    parser.add_argument("--ui", action="store_true", help="serve MLflow's UI, and follow")
    parser.add_argument("--best-effort", action="store_true", help="only warn where MLflow fails")
    parser.add_argument("--port", type=int, default=0, help="of the UI (default: a free one)")
    arguments = parser.parse_args()
    root = Path.cwd()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whatever ends us, the UI stops
        signal.signal(number, signal.default_int_handler)
    if arguments.best_effort:
        sync_best_effort(root)
        return
    try:
        if arguments.ui:
            show(root, arguments.port)
        log.info("%d runs are in %s", len(sync(root)), shown(store_uri(root)))
        if arguments.follow:
            follow(root)
    except TrackingError as error:
        raise TrackingError(f"{error}; {LATER}") from error
    except KeyboardInterrupt:
        log.info("stopped")


if __name__ == "__main__":
    stage(main)
