"""What one measures a training step with: moments, memory, and what a machine can do at best."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

PRODUCT = {"cpu": 2048, "cuda": 8192}  # rows of the square matrices whose product tells the rate


class Clock:
    """Moments of one piece of work, each the start of the part it names; the last one ends it.

    On a GPU they are events among its own work, so that asking does not hold it up.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.moments: list[tuple[str, float | torch.cuda.Event]] = []

    def mark(self, name: str) -> None:
        """Note that a part begins."""
        if self.device.type == "cpu":
            self.moments.append((name, time.perf_counter()))
        else:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.moments.append((name, event))

    def read(self) -> dict[str, float]:
        """Return the seconds of each part, and forget them."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        parts = dict(self._parts())
        self.moments.clear()
        return parts

    def _parts(self) -> Iterator[tuple[str, float]]:
        for (name, start), (_, end) in zip(self.moments, self.moments[1:], strict=False):
            yield name, end - start if self.device.type == "cpu" else start.elapsed_time(end) / 1e3


def extra_memory(work: Callable[[], object], device: torch.device) -> float:
    """Return the MiB that `work` needs at its peak above what was in use before (CPU: Linux)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    if sys.platform != "linux":
        work()
        return float("nan")
    ctypes.CDLL(None).malloc_trim(0)  # give back what earlier work has freed
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    work()
    return _resident("VmHWM") - before


def _resident(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def product_rate(precision: str, device: torch.device) -> float:
    """Return the FLOP/s of a product of two large square matrices, best of ten."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    rows = PRODUCT[device.type]
    a, b = (torch.randn(rows, rows, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        clock = Clock(device)
        clock.mark("product")
        _ = a @ b
        clock.mark("end")
        best = min(best, clock.read()["product"])
    return 2 * rows**3 / best
