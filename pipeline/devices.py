"""The devices of this machine, divided among the cells that train on it at once."""

from __future__ import annotations

import os
from dataclasses import dataclass

from capnet.errors import UserError


@dataclass(frozen=True)
class Share:
    """What one cell gets of this machine: a GPU as CUDA_VISIBLE_DEVICES names it, and cores."""

    gpu: str
    cores: frozenset[int]


def shares_of(at_once: int | None) -> list[Share]:
    """Divide this machine among `at_once` cells: a GPU each, or some of the cores where none is.

    The default is as many cells as GPUs, or one. UserError if there are fewer devices than cells.
    """
    cores, gpus = sorted(os.sched_getaffinity(0)), visible_gpus()
    devices = len(gpus) or len(cores)
    count = at_once or len(gpus) or 1
    if count > devices:
        kind = "GPUs" if gpus else "cores"
        raise UserError(f"--at-once {count}: this machine has {devices} {kind}, a cell needs one")
    return [
        Share(gpus[place] if gpus else "", frozenset(cores[place::count] or cores))
        for place in range(count)
    ]


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use."""
    import torch  # not above: every job imports this file, and starts sooner without it

    count = torch.cuda.device_count()
    names = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    return names.split(",")[:count]
