"""Say what works on this machine, and what to do about the rest: `capnet doctor`."""

from __future__ import annotations

import sys
from pathlib import Path

from capnet import config
from capnet.errors import UserError
from pipeline import paths
from pipeline.stage import no_argument, stage

MARKS = {"good": "ok  ", "note": "note", "bad": "BAD "}


def main() -> None:
    """Write one line per finding; exit code 1 if the grid cannot run as it stands."""
    no_argument()
    params = config.load(paths.PARAMS)
    try:
        from capnet.engine.doctor import examine
    except (ImportError, OSError, RuntimeError) as error:  # a pair of torch and torchvision at odds
        raise UserError(
            f"the environment cannot be imported ({error}); `make setup` installs packages that "
            "fit, after `rm -r .venv` where one is broken"
        ) from error
    bad = 0
    for found in examine(params, Path.cwd(), paths.prepared):
        bad += found.state == "bad"
        sys.stdout.write(f"{MARKS[found.state]}  {found.subject:22} {found.words}\n")
    if bad:
        sys.exit(f"{bad} of these keep the grid of {paths.PARAMS} from running")


if __name__ == "__main__":
    stage(main)
