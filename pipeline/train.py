"""Train one cell of the grid: `accelerate launch -m pipeline.train <dataset> <variant> <seed>`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from capnet import config
from capnet.engine import checkpoint, provenance
from capnet.engine.train import train
from capnet.engine.work import WorkFolder
from capnet.files import copy
from capnet.records import of_split, read_manifest
from pipeline import paths
from pipeline.stage import cell, is_main_process, stage


def main() -> None:
    """Train in models/work/<key>; what is finished moves to its place, then the folder goes."""
    dataset, variant, seed = cell()
    params = config.load(paths.PARAMS)
    key = paths.run_key(dataset, variant, seed)
    run = params.run(dataset, variant, seed)
    records = of_split(read_manifest(paths.manifest(dataset)), "train")
    sources = {
        "manifest_sha256": provenance.digest(paths.manifest(dataset)),
        "code_sha256": provenance.digest(paths.LOCKS / "train.txt"),
    }
    if run.model.weights is not None and Path(run.model.weights).is_file():
        sources["weights_sha256"] = provenance.digest(Path(run.model.weights))
    lines = (paths.LOCKS / "train.txt").read_text(encoding="utf-8").splitlines()
    modules = {module: digest for digest, module in (line.split(" ", 1) for line in lines)}
    work = WorkFolder(paths.work(key), run, sources, modules)
    if not is_main_process():
        train(run, records, Path(params.dataset(dataset).root), work)
        return
    with checkpoint.exclusive(work.path):
        alone = os.environ.get("WORLD_SIZE", "1") == "1"
        if not (alone and work.finished):  # several processes must agree on it
            train(run, records, Path(params.dataset(dataset).root), work)
        if os.environ.get("CAPNET_ONLY_WORK"):  # a later start moves what is finished, in seconds
            return
        for file in [work.path / "model.pt", *sorted(work.path.glob("epoch_*.pt"))]:
            copy(file, paths.model(key) / file.name)
        for name in ("history.csv", "training.json"):
            copy(work.path / name, paths.results(key) / name)
        done = work.path.with_suffix(".done")
        shutil.rmtree(done, ignore_errors=True)  # of a start that was killed in the next line
        shutil.rmtree(work.path.rename(done))  # at no moment a folder that lacks some of its files


if __name__ == "__main__":
    stage(main)
