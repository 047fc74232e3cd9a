"""Write the report of the whole grid: `python -m pipeline.report`.

Reads reports/data, reports/runs and data/evaluated. Every cell of the grid must have its results;
nothing is written before everything is made.
"""

from __future__ import annotations

import logging

from capnet import config
from capnet.report.build import write_report
from pipeline import paths
from pipeline.stage import no_argument, stage


def main() -> None:
    """Write index.html, tables and figures; figures with real people where git ignores them."""
    no_argument()
    write_report(config.load(paths.PARAMS), paths)
    logging.info("wrote %s", paths.PAGE)


if __name__ == "__main__":
    stage(main)
