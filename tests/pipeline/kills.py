"""Moments at which to kill a stage: after some time, or at a call that touches a file."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class Fault:
    """A kill after some seconds, or when a child calls `owner.call` on a file for the n-th time.

    file: the end of the file's path; `after` its whole effect, before any of it, or in between.
    """

    seconds: float = inf
    owner: Any = None
    call: str = ""
    file: str = ""
    n: int = 1
    after: bool = False
    half: bool = False

    def arm(self) -> None:
        """Let the call kill its process."""
        if self.owner is None:
            return
        honest, left = getattr(self.owner, self.call), iter(range(self.n - 1, -1, -1))

        def fatal(*arguments: Any, **keywords: Any) -> Any:
            now = self._meant(arguments) and next(left) == 0
            if now and self.half:
                honest(arguments[0], arguments[1][: len(arguments[1]) // 2])
            if now and not self.after:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = honest(*arguments, **keywords)
            if now:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        setattr(self.owner, self.call, fatal)

    def _meant(self, arguments: tuple[Any, ...]) -> bool:
        if not self.file:
            return True
        first = arguments[0]
        opened = Path(f"/proc/self/fd/{first}")
        paths = [opened.readlink()] if isinstance(first, int) else arguments
        names = [
            f"/{path}".removesuffix(f".{os.getpid()}.tmp").replace("/.", "/") for path in paths
        ]
        return any(name.endswith(self.file) for name in names)


FIXED = {
    "before the kept pixels have their name": ("train", Fault(inf, Path, "replace", ".npy")),
    "within the first step": ("train", Fault(inf, torch.optim.Adam, "step")),
    "between two steps": ("train", Fault(inf, torch.optim.Adam, "step", n=4, after=True)),
    "half of the first state.pt": (
        "train",
        Fault(inf, Path, "write_bytes", "/state.pt", half=True),
    ),
    "half of the third": ("train", Fault(inf, Path, "write_bytes", "/state.pt", 3, half=True)),
    "state.pt written, not yet synced": ("train", Fault(inf, os, "fsync", "/state.pt", 2)),
    "state.pt synced, not yet named": ("train", Fault(inf, Path, "replace", "/state.pt", 2)),
    "epoch_002.pt named, state.pt old": (
        "train",
        Fault(inf, Path, "replace", "/epoch_002.pt", after=True),
    ),
    "history.csv named, state.pt old": (
        "train",
        Fault(inf, Path, "replace", "/history.csv", 3, after=True),
    ),
    "the last state.pt named, no model.pt": (
        "train",
        Fault(inf, Path, "replace", "/state.pt", 4, after=True),
    ),
    "model.pt not yet moved": ("train", Fault(inf, Path, "replace", "/model.pt", after=True)),
    "model.pt moved, nothing else": (
        "train",
        Fault(inf, Path, "replace", "/model.pt", 2, after=True),
    ),
    "all moved, the folder still there": ("train", Fault(inf, shutil, "rmtree")),
    "all moved, the folder set aside": ("train", Fault(inf, shutil, "rmtree", n=2)),
    "evaluation: one file of four": (
        "evaluate",
        Fault(inf, Path, "replace", "/overlays.npz", after=True),
    ),
    "evaluation: all but the last": ("evaluate", Fault(inf, Path, "replace", "/metrics.json")),
}
