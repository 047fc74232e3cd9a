"""Sums and concatenations over processes that gradients pass through.

Every process computes the same global loss L from the gathered values. The gradient that reaches a
process is then that of the sum of all copies of L, world-size times too large; averaging over
processes, as DistributedDataParallel does, gives exactly the gradient of L (A27).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def summed(tensor: Tensor) -> Tensor:
    """Sum a tensor of any shape over all processes."""
    if world_size() == 1:
        return tensor
    return _Sum.apply(tensor)  # type: ignore[no-any-return, no-untyped-call]


def gathered(tensor: Tensor) -> Tensor:
    """Concatenate equal shards (B, ...) of all processes in rank order -> (world B, ...)."""
    if world_size() == 1:
        return tensor
    return _Gather.apply(tensor)  # type: ignore[no-any-return, no-untyped-call]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        total = grad[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        shard = tensor.contiguous()
        shards = [torch.empty_like(shard) for _ in range(world_size())]
        dist.all_gather(shards, shard)
        return torch.cat(shards)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> Tensor:
        total = grad[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(world_size())[dist.get_rank()]
