"""The work folder of an unfinished training: what it has reached, saved after every epoch.

state.pt      weights, optimiser, history: what an interrupted training goes on from
model.pt      the network after the last epoch; epoch_NNN.pt where `train.keep_every` asks for it
history.csv   one row per epoch;  training.json  what was run, where, when, with what
not_finite.json  the batch that a training ended at, and its loss terms
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from capnet.engine import checkpoint, provenance
from capnet.engine.ledger import NotFiniteError, Row
from capnet.errors import UserError
from capnet.files import write_json, write_text
from capnet.settings import Run


class TrainingError(UserError):
    """A training cannot go on; the message says why and what to do."""


@dataclass
class Progress:
    """How far a training has come: a row per epoch, a row per batch of the unfinished one."""

    history: list[Row] = field(default_factory=list)
    batches: list[Row] = field(default_factory=list)
    started: str = field(default_factory=provenance.now)
    seconds: float = 0.0
    images: int = 0
    resumed: int = 0

    @property
    def place(self) -> str:
        """The last batch in words, counted from 1."""
        if self.batches:
            return f"epoch {len(self.history) + 1}, batch {len(self.batches)}"
        return f"end of epoch {len(self.history)}"

    def spend(self, images: int, seconds: float) -> None:
        """Count what part of an epoch took."""
        self.images += images
        self.seconds += seconds

    def close(self, row: Row) -> None:
        """Append an epoch, all of whose batches are done."""
        self.history.append(row)
        self.batches = []

    def line(self, epochs: int) -> str:
        """One readable line about the last epoch, or where in an epoch the training stopped."""
        if self.batches:
            return f"{self.place}  state saved"
        row = self.history[-1]
        left = round(self.seconds / len(self.history) * (epochs - len(self.history)))
        return (
            f"epoch {len(self.history):>{len(str(epochs))}}/{epochs}  loss {row['loss']:.3f} "
            f"(identity {row['identity_loss']:.3f}, triplet {row['triplet_loss']:.3f}, "
            f"attention {row['attention_loss']:.3f})  accuracy {row['accuracy']:.1%}  "
            f"lr {row['learning_rate']:.1e}  {self.images / self.seconds:.0f} images/s  "
            f"{left // 60}:{left % 60:02} left"
        )


@dataclass
class WorkFolder:
    """A folder, the run it works for, and the digests of the manifest and the code behind it.

    modules: that of each module of the code, with which a refusal says which of them differ.
    """

    path: Path
    run: Run
    sources: dict[str, str]
    modules: dict[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the result, as plain values."""
        return {"settings": self.run.model_dump(), **self.sources}

    def resume(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any | None
    ) -> Progress:
        """Put back what an interrupted training had reached; CheckpointError if it was another."""
        state = checkpoint.resume(self.path / "state.pt", self.identity, self.modules)
        if state is None:
            return Progress()
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if scaler is not None:
            scaler.load_state_dict(state["scaler"])
        progress = Progress(**state["progress"])
        progress.resumed += 1
        return progress

    def save(
        self,
        progress: Progress,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: Any | None,
    ) -> None:
        """Write the state after a step and what others read of it; each file is atomic."""
        trained = self._trained(progress, network)
        state = {
            "optimizer": optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
            "progress": asdict(progress),
            "modules": self.modules,
        }
        every, epoch = self.run.train.keep_every, len(progress.history)
        if not progress.batches:
            if every and epoch % every == 0:
                checkpoint.save(self.path / f"epoch_{epoch:03d}.pt", trained)
            write_text(self.path / "history.csv", _csv(progress.history))
        checkpoint.save(self.path / "state.pt", trained | state)

    @property
    def finished(self) -> bool:
        """Whether the results of exactly this training are there, whichever machine made them."""
        try:
            found = json.loads((self.path / "training.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        same = found["fingerprint"] == checkpoint.fingerprint(self.identity)
        return same and found["finished"] is not None

    def not_finite(
        self, fault: NotFiniteError, epoch: int, rate: float, images: Sequence[tuple[str, int]]
    ) -> TrainingError:
        """Write not_finite.json: a batch's terms, its images and the seeds that changed them.

        epoch counts from 0. Returns what to raise.
        """
        content = {
            "epoch": epoch + 1,
            "batch": fault.batch + 1,
            "learning_rate": rate,
            "terms": {n: v if math.isfinite(v) else str(v) for n, v in fault.row.items()},
            "images": [{"path": path, "seed": seed} for path, seed in images],
        }
        write_json(self.path / "not_finite.json", content)
        return TrainingError(
            f"epoch {epoch + 1}, {fault}; lower train.learning_rate or use train.precision bf16 or "
            f"fp32. {self.path / 'not_finite.json'} lists the batch; the state that was saved last "
            "is kept"
        )

    def finish(
        self, progress: Progress, network: nn.Module, device: torch.device, **facts: Any
    ) -> None:
        """Write model.pt, and training.json with the time."""
        checkpoint.save(self.path / "model.pt", self._trained(progress, network))
        self.describe(progress, device, finished=provenance.now(), **facts)

    def describe(self, progress: Progress, device: torch.device, **facts: Any) -> None:
        """Write training.json: what is run, on what, since when; tracking follows it."""
        settings = self.run.model_dump()
        content = {
            **{name: settings.pop(name) for name in ("dataset", "variant", "seed", "form")},
            "settings": settings,
            "fingerprint": checkpoint.fingerprint(self.identity),
            **self.sources,
            "started": progress.started,
            "finished": None,
            "seconds": round(progress.seconds, 1),
            "images_per_second": round(progress.images / max(progress.seconds, 1e-9), 1),
            "resumed": progress.resumed,
            "device": provenance.device_name(device),
            "precision": self.run.train.precision,
            "versions": provenance.versions(),
            "git": provenance.git_state(),
            **facts,
        }
        write_json(self.path / "training.json", content)

    def _trained(self, progress: Progress, network: nn.Module) -> dict[str, Any]:
        return {
            "network": {name: value.cpu() for name, value in network.state_dict().items()},
            "identity": self.identity,
            "epoch": len(progress.history),
        }


def _csv(history: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, history[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()
