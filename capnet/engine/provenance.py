"""Where and with what a result came about."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import capnet
from capnet.errors import UserError


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def digest(path: Path) -> str:
    """SHA-256 (hex) of a file; UserError if it is not there."""
    if not path.is_file():
        raise UserError(f"{path}: not found; `dvc repro` makes it")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def device_name(device: torch.device) -> str:
    """Name a device in words, as a reader of a results table would."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def versions() -> dict[str, str]:
    """Versions of what computes."""
    names = ("torch", "torchvision", "accelerate", "numpy")
    return {
        "python": platform.python_version(),
        "capnet": capnet.__version__,
        **{n: version(n) for n in names},
    }


def of_evaluation(device: torch.device) -> list[tuple[str, Any]]:
    """Where and with what scores were computed, as (what, value): DVC would tabulate a mapping."""
    facts = {"device": device_name(device), "processes": 1, "precision": "fp32"}
    return list((facts | versions() | git_state()).items())


def git_state() -> dict[str, Any]:
    """Commit, and whether code or params differ from it; None outside a repository."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "capnet", "pipeline", "params.yaml")
    return {"commit": commit, "dirty": bool(changed) if commit else None}


def _git(*arguments: str) -> str | None:
    try:
        command = ["git", "--no-optional-locks", *arguments]  # on a full disk, a lock would stay
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()
