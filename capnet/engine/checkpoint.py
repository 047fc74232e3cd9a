"""The state of a training on disk: whole or absent, and never another configuration's."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from capnet.errors import UserError
from capnet.files import replacing


class CheckpointError(UserError):
    """A training cannot use its work folder; the message names the file and the remedy."""


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a work folder for one training; the lock goes with the process, however it ends.

    What an earlier one was writing when it was killed is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckpointError(
                f"{folder}: another training is using this work folder; wait for it, or stop it "
                f"(`fuser {folder / 'lock'}` names it)"
            ) from None
        for half in folder.glob(".*.tmp"):
            half.unlink()
        yield


def fingerprint(identity: dict[str, Any]) -> str:
    """SHA-256 (hex) of what decides a training's result: settings, manifest, code."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors and plain values, atomically; OSError if the disk is full."""
    content = io.BytesIO()  # torch reports a full disk as a RuntimeError about file positions
    torch.save(state, content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote; CheckpointError if the file is damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: not found; train first (`dvc repro train`)") from None
    except Exception as error:
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({type(error).__name__}); remove it and train again"
        ) from error
    return state


def resume(
    path: Path, identity: dict[str, Any], modules: dict[str, str] | None = None
) -> dict[str, Any] | None:
    """Read the state of an interrupted training, or None where there is none.

    Raises CheckpointError, listing the differences, if it belongs to another configuration; where
    the code is another, also those between the digests of its `modules`.
    """
    if not path.exists():
        return None
    state = load(path)
    different = list(_differences(state.get("identity"), identity))
    if different:
        different += _differences(state.get("modules"), modules)
        raise CheckpointError(
            f"{path} belongs to another configuration:\n  " + "\n  ".join(different) + "\n"
            f"Restore that configuration to continue it, or `rm -r {path.parent}` to start afresh"
        )
    return state


def require_space(folder: Path, needed: int) -> None:
    """Raise CheckpointError unless `needed` bytes are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CheckpointError(
            f"{folder}: a training needs {needed / 1e6:.0f} MB for its checkpoints and "
            f"{free / 1e6:.0f} MB are free; free space on this disk and start again"
        )


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif old != new:
        yield f"{path}: {old} in the checkpoint, {new} now"
