"""Batch normalisation with the statistics of the global batch, on any device (A27)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from capnet.ops.collective import summed, world_size

MOMENTUM = 0.1  # torch's own default


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
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = batch_statistics(x, self.running_mean, self.running_var)
        factor = self.weight * (var + self.eps).rsqrt()
        return (x - _per_channel(mean, x)) * _per_channel(factor, x), factor


class _GlobalBatchNorm(nn.BatchNorm2d):
    """BatchNorm2d over the global batch where torch has none: processes on CPUs."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        mean, var = batch_statistics(x, self.running_mean, self.running_var)
        factor = self.weight * (var + self.eps).rsqrt()
        return (x - _per_channel(mean, x)) * _per_channel(factor, x) + _per_channel(self.bias, x)


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


def batch_statistics(x: Tensor, running_mean: Tensor, running_var: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and biased variance (C,) of x (B, C, ...) over all processes, with gradients.

    Moves the running statistics towards them in place, the variance unbiased, as torch does.
    """
    axes = [axis for axis in range(x.dim()) if axis != 1]
    count = x.numel() // x.shape[1] * world_size()
    mean = summed(x.sum(axes)) / count
    var = summed((x - _per_channel(mean, x)).square().sum(axes)) / count
    with torch.no_grad():
        running_mean.lerp_(mean, MOMENTUM)
        running_var.lerp_(var * (count / max(count - 1, 1)), MOMENTUM)
    return mean, var


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    return values.view(-1, *[1] * (like.dim() - 2))
