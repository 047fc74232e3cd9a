"""Evaluate one trained cell: `python -m pipeline.evaluate <dataset> <variant> <seed>`."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from capnet import config
from capnet.engine import exhibits, provenance
from capnet.engine.embed import Trained, embed_test, load_trained
from capnet.engine.evaluate import evaluate, rank, scores
from capnet.errors import UserError
from capnet.files import replacing, write_json
from capnet.records import of_split, read_manifest
from capnet.settings import Run
from pipeline import paths
from pipeline.stage import cell, stage


def main() -> None:
    """Write metrics.json, and overlays.npz and ranks.json for the figures."""
    dataset, variant, seed = cell()
    params = config.load(paths.PARAMS)
    key = paths.run_key(dataset, variant, seed)
    run = params.run(dataset, variant, seed)
    settings, root = params.evaluate, Path(params.dataset(dataset).root)
    records = read_manifest(paths.manifest(dataset))
    manifest = provenance.digest(paths.manifest(dataset))
    queries = of_split(records, "query")

    progress = []
    for path in sorted(paths.model(key).glob("epoch_*.pt")):
        trained = trained_by(run, path, manifest)
        embedded = embed_test(trained, records, root, settings)
        found = scores(rank(embedded, settings), settings.ranks)
        progress.append({"epoch": trained.epoch, **found})
    trained = trained_by(run, paths.model(key) / "model.pt", manifest)
    embedded = embed_test(trained, records, root, settings)
    metrics = {"trainings": [trained.fingerprint], **evaluate(embedded, settings)}
    lists = exhibits.rank_list_exhibit(embedded, settings)
    metrics["wrong_in_top10"] = lists.wrong_in_top10
    maps = exhibits.maps_of(trained, queries, root, settings)
    masks = exhibits.read_masks(queries, paths.prepared(dataset) / "masks")
    if masks is not None:
        metrics["localisation"] = exhibits.localisation_scores(maps, masks)
    if progress:
        metrics["progress"] = progress

    with (
        replacing(paths.evaluated(key) / "overlays.npz") as temporary,
        temporary.open("wb") as file,
    ):
        np.savez_compressed(file, **exhibits.overlay_exhibit(maps, queries, settings))  # type: ignore[arg-type]
    write_json(paths.evaluated(key) / "ranks.json", lists.shown)
    write_json(paths.results(key) / "metrics.json", metrics)
    logging.info(
        "%s  rank-1 %.1f %%  mAP %.1f %%", key, 100 * metrics["rank1"], 100 * metrics["mAP"]
    )


def trained_by(run: Run, path: Path, manifest_sha256: str) -> Trained:
    """Load a network of this very run; UserError if it is that of other settings."""
    trained = load_trained(path, manifest_sha256)
    if trained.run != run:
        raise UserError(f"{path} was trained with other settings; train again (`dvc repro`)")
    return trained


if __name__ == "__main__":
    stage(main)
