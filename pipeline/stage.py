"""What every stage's script shares: its arguments, its log lines, and one line for an error."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

from capnet.errors import UserError


def stage(main: Callable[[], None]) -> None:
    """Run a stage; what a user can mend ends as one message on stderr and exit code 1.

    A training that was asked to stop ends so too, with exit code 75: it can be started again.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    try:
        main()
    except (UserError, ValueError, OSError) as error:
        if os.environ.get("CAPNET_TRACEBACK"):
            raise
        code = error.exit_code if isinstance(error, UserError) else 1
        kind = "error: " if code == 1 else ""
        sys.stderr.write(f"{os.environ.get('DVC_STAGE', sys.argv[0])}: {kind}{error}\n")
        sys.exit(code)


def no_argument() -> None:
    """Refuse arguments where a stage has none."""
    if len(sys.argv) != 1:
        raise ValueError(f"expected: no argument; got {sys.argv[1:]}")


def dataset_argument() -> str:
    """Return the stage's one argument, a data set's name."""
    if len(sys.argv) != 2:
        raise ValueError(f"expected: <dataset>; got {sys.argv[1:]}")
    return sys.argv[1]


def cell() -> tuple[str, str, int]:
    """Return the stage's three arguments: data set, variant, seed."""
    if len(sys.argv) != 4 or not sys.argv[3].isdigit():
        raise ValueError(f"expected: <dataset> <variant> <seed>; got {sys.argv[1:]}")
    return sys.argv[1], sys.argv[2], int(sys.argv[3])


def is_main_process() -> bool:
    """Tell whether this is the one of the launched processes that writes files."""
    return os.environ.get("RANK", "0") == "0"
