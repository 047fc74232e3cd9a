"""The network of a run with its optimiser, on this process's device, among the processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from capnet.engine import checkpoint
from capnet.engine.assemble import network_of
from capnet.engine.distributed import join
from capnet.models.batchnorm import synchronise
from capnet.models.network import Output
from capnet.ops.collective import gathered
from capnet.settings import Run


@dataclass(frozen=True)
class Learner:
    """What one optimiser step changes.

    `network` holds the weights; `model` is what to call, with gradients averaged over processes.
    """

    accelerator: Accelerator
    network: nn.Module
    model: nn.Module
    optimizer: torch.optim.Optimizer

    @property
    def state(self) -> tuple[nn.Module, torch.optim.Optimizer, Any | None]:
        """What a checkpoint holds: network, optimiser, and the loss scaler of fp16."""
        return self.network, self.optimizer, self.accelerator.scaler

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return torch.device(self.accelerator.device)

    @property
    def parameters(self) -> int:
        """Number of trained values."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def outputs(self, images: Tensor, labels: Tensor) -> tuple[Output, Tensor]:
        """Run this process's share of a batch; return outputs and labels of the whole batch."""
        share = self.model(images.to(memory_format=torch.channels_last), labels)
        return Output(*map(gathered, share)), gathered(labels)


def learner_of(run: Run, identities: int, folder: Path) -> Learner:
    """Join the processes and build the network and the optimiser (R20, R24) for a work folder.

    Initial weights are read unless the folder holds a state to go on from. Raises TrainingError,
    WeightsError, or CheckpointError if the disk has no room for the training's states.
    """
    accelerator = join(run)
    network: nn.Module = network_of(
        run, identities, pretrained=not (folder / "state.pt").exists()
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = synchronise(network, accelerator.device)
    optimizer = torch.optim.Adam(
        network.parameters(), weight_decay=run.train.weight_decay, fused=True
    )
    model, optimizer = accelerator.prepare(network, optimizer)
    learner = Learner(accelerator, accelerator.unwrap_model(model), model, optimizer)
    if accelerator.is_main_process:  # weights and Adam's moments, old and new
        checkpoint.require_space(folder, 24 * learner.parameters)
    return learner
