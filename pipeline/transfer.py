"""Evaluate a network on another data set than its own.

`python -m pipeline.transfer <dataset> <variant> <seed> <target>`
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from capnet import config
from capnet.data.layouts import version
from capnet.engine import provenance
from capnet.engine.embed import embed_test, load_trained
from capnet.engine.evaluate import evaluate
from capnet.files import write_json
from capnet.records import read_manifest
from pipeline import paths
from pipeline.stage import cell, stage


def main() -> None:
    """Write the scores of a cell's network on the target data set."""
    target = sys.argv.pop() if len(sys.argv) == 5 else ""
    dataset, variant, seed = cell()
    params = config.load(paths.PARAMS)
    key, settings = paths.run_key(dataset, variant, seed), params.evaluate
    trained = load_trained(
        paths.model(key) / "model.pt",
        provenance.digest(paths.manifest(dataset)),
        params.run(dataset, variant, seed),
    )
    root = Path(params.dataset(target).root)
    release = version(params.dataset(target).layout, root)
    embedded = embed_test(trained, read_manifest(paths.manifest(target)), root, settings)
    metrics = evaluate(embedded, settings, release)
    named = {"trainings": [trained.fingerprint], "target": target}
    made = {"evaluated": provenance.of_evaluation(trained.device)}
    write_json(paths.transferred(key, target), named | metrics | made)
    rank1, mean_ap = (100 * metrics[name] for name in ("rank1", "mAP"))
    logging.info("%s on %s  rank-1 %.1f %%  mAP %.1f %%", key, target, rank1, mean_ap)


if __name__ == "__main__":
    stage(main)
