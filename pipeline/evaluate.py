"""Evaluate one trained cell: `python -m pipeline.evaluate <dataset> <variant> <seed>`."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

from capnet import config
from capnet.data.layouts import version
from capnet.engine import exhibits, provenance
from capnet.engine.by_query import ByQuery, write_by_query
from capnet.engine.embed import embed_test, load_trained
from capnet.engine.evaluate import by_camera, evaluate, progress, rank
from capnet.files import write_json, write_text
from capnet.records import of_split, read_manifest
from pipeline import paths
from pipeline.stage import cell, stage


def main() -> None:
    """Write metrics.json, by_camera.csv, queries.csv, and what the figures show."""
    dataset, variant, seed = cell()
    params = config.load(paths.PARAMS)
    key, run = paths.run_key(dataset, variant, seed), params.run(dataset, variant, seed)
    settings, root = params.evaluate, Path(params.dataset(dataset).root)
    records = read_manifest(paths.manifest(dataset))
    manifest = provenance.digest(paths.manifest(dataset))
    load = partial(load_trained, manifest_sha256=manifest, run=run)
    queries = of_split(records, "query")
    release = version(params.dataset(dataset).layout, root)

    trained = load(paths.model(key) / "model.pt")
    embedded = embed_test(trained, records, root, settings)
    lists = exhibits.rank_list_exhibit(embedded, settings)
    maps = exhibits.maps_of(trained, queries, root, settings)
    masks = exhibits.read_masks(queries, paths.prepared(dataset) / "masks")
    ranking = rank(embedded, settings)
    scores = evaluate(embedded, settings, release, ranking)
    evaluated = provenance.of_evaluation(trained.device)
    metrics = {"trainings": [trained.fingerprint], **scores, "evaluated": evaluated}
    metrics["wrong_in_top10"] = lists.wrong_in_top10
    if masks is not None:
        metrics["localisation"] = exhibits.localisation_scores(maps, masks)
    if kept := sorted(paths.model(key).glob("epoch_*.pt")):
        metrics["progress"] = progress(map(load, kept), records, root, settings)

    exhibits.write_overlays(paths.evaluated(key) / "overlays.npz", maps, queries, settings)
    write_json(paths.evaluated(key) / "ranks.json", lists.shown)
    each = (ranking.average_precision, ranking.first_match_rank, lists.first_wrong)
    write_by_query(paths.by_query(key), ByQuery([record.path for record in queries], *each))
    write_text(paths.results(key) / "by_camera.csv", by_camera(embedded).to_csv(index=False))
    write_json(paths.results(key) / "metrics.json", metrics)
    rank1, mean_ap = (100 * metrics[name] for name in ("rank1", "mAP"))
    logging.info("%s  rank-1 %.1f %%  mAP %.1f %%", key, rank1, mean_ap)


if __name__ == "__main__":
    stage(main)
