"""Batch normalisation with the statistics of the global batch, on any device (A27)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from capnet.ops.collective import summed, world_size

MOMENTUM = 0.1  # torch's own default


def moments(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and biased variance over all but dimension 1, over all processes.

    x (B, C, ...) -> mean (C,), variance (C,), count of values behind each.
    """
    axes = [axis for axis in range(x.dim()) if axis != 1]
    count = x.numel() // x.shape[1] * world_size()
    mean = summed(x.sum(axes)) / count
    centred = x - mean.view(-1, *[1] * (x.dim() - 2))
    return mean, summed(centred.square().sum(axes)) / count, count


class Neck(nn.Module):
    """Batch normalisation without a shift between features and classifier (R5, A11, A30).

    forward: (B, C) pooled or (B, C, H, W) maps -> the same shape, normalised, and the factor (C,)
    by which each channel was scaled, with which the CAM stays exact (w_eff = w * factor).
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise with the batch's statistics in training, with the running ones otherwise."""
        if self.training:
            mean, var, count = moments(x)
            with torch.no_grad():
                self.running_mean.lerp_(mean, MOMENTUM)
                self.running_var.lerp_(var * (count / max(count - 1, 1)), MOMENTUM)
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight * (var + self.eps).rsqrt()
        shape = (-1, *[1] * (x.dim() - 2))
        return (x - mean.view(shape)) * scale.view(shape), scale


class _GlobalBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d over the global batch where torch has none: processes on CPUs."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        mean, var, count = moments(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, MOMENTUM)
            self.running_var.lerp_(var * (count / max(count - 1, 1)), MOMENTUM)
        return F.batch_norm(x, mean, var, self.weight, self.bias, False, 0.0, self.eps)


def synchronise(network: nn.Module, device: torch.device) -> nn.Module:
    """Make every batch normalisation of `network` use the global batch; nothing to do for one."""
    if world_size() == 1:
        return network
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return converted
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _GlobalBatchNorm
    return network
