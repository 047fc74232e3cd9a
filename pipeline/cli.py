"""The command `capnet`: what is asked of a project beside its DAG.

capnet doctor    say what works on this machine, and what to do about the rest
capnet grid      train the cells that are out of date on many devices, or through SLURM
capnet changes   show the queries that one run serves otherwise than another
capnet track     copy the results into MLflow; --ui opens the comparison
capnet cuhk03    make CUHK03-NP's folders from the original release
"""

from __future__ import annotations

import sys
from importlib import import_module

from pipeline.stage import stage

COMMANDS = ("doctor", "grid", "changes", "track", "cuhk03")


def main() -> None:
    """Run the command that is named first, with the arguments after it."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        known = name in ("", "-h", "--help")
        sys.stderr.write(f"{'' if known else f'capnet: no command {name!r}'}\n{__doc__}")
        sys.exit(0 if known else 2)
    sys.argv = [f"capnet {name}", *sys.argv[2:]]
    stage(import_module(f"pipeline.{name}").main)
