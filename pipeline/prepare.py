"""Draw or read one data set, check it, and freeze it: `python -m pipeline.prepare <dataset>`."""

from __future__ import annotations

import logging

from capnet import config
from capnet.data.prepare import prepare
from capnet.files import write_json
from pipeline import paths
from pipeline.stage import dataset_argument, stage


def main() -> None:
    """Write the data set's manifest, its card and, where it is drawn, its images."""
    name = dataset_argument()
    settings = config.load(paths.PARAMS).dataset(name)
    card = prepare(name, settings, paths.prepared(name))
    write_json(paths.card(name), card)
    for split, counts in card["splits"].items():
        listed = ", ".join(f"{count} {what}" for what, count in counts.items())
        logging.info("%s %s: %s", name, split, listed)
    for entry in card["allowed"]:
        allowed = "%s: allowed (%s): %s: %s"
        logging.warning(allowed, name, *(entry[key] for key in ("reason", "check", "finding")))
    if not card["allowed"]:
        logging.info("%s: every check passed", name)


if __name__ == "__main__":
    stage(main)
