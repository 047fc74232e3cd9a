"""The processes of one training: joining them, and what must be the same in all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import parse_flag_from_env

from capnet.engine.work import Progress, TrainingError
from capnet.machine import cores_per_process
from capnet.ops.collective import gathered
from capnet.settings import Run

PATIENCE = timedelta(minutes=5)  # with a process of which nothing is heard any more


def join(run: Run) -> Accelerator:
    """Join the processes that were launched, use all cores, and seed the initial weights."""
    state = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"), timeout=PATIENCE)
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if state.num_processes != launched:
        raise TrainingError(
            f"{launched} processes were launched and do not see each other; set "
            "ACCELERATE_USE_CPU=1 where there is no GPU"
        )
    if state.device.type == "cpu":
        if run.train.precision == "fp16":
            raise TrainingError("train.precision: fp16 needs a GPU; use bf16 or fp32")
        torch.set_num_threads(cores_per_process())  # the launcher leaves one to a process
    if run.train.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(run.train.deterministic)
    torch.backends.cudnn.benchmark = not run.train.deterministic
    accelerator = Accelerator(mixed_precision=run.train.precision.replace("fp32", "no"))
    torch.manual_seed(run.seed)
    return accelerator


def leave(accelerator: Accelerator) -> None:
    """Leave the processes that were joined, at the end of the work."""
    if accelerator.num_processes > 1:
        # gloo's threads put the last collective away, and need Python's lock to do so; a group that
        # goes before they are done waits for them with that lock held, for ever.
        time.sleep(0.2)
    accelerator.end_training()


def require_same_start(progress: Progress, device: torch.device) -> None:
    """Raise TrainingError unless all processes go on from the same batch."""
    reached = torch.tensor([[len(progress.history), len(progress.batches)]], device=device)
    starts = gathered(reached).tolist()
    if any(start != starts[0] for start in starts):
        raise TrainingError(
            f"the processes go on from different (epoch, batch): {starts}; all machines must see "
            "the same project folder: put it on a disk that they share"
        )


@contextmanager
def memory_explained(run: Run) -> Iterator[None]:
    """Turn running out of memory into a TrainingError that says what would need less."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch's are RuntimeErrors
        text = str(error)
        exhausted = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not exhausted and "can't allocate memory" not in text:
            raise
        images = run.train.ids_per_batch * run.train.images_per_id
        raise TrainingError(
            f"out of memory with batches of {images} images of {run.model.height} x "
            f"{run.model.width}: share them among more processes, or use train.precision bf16, "
            "fewer train.ids_per_batch with train.accumulate, or smaller images; the last saved "
            f"state is kept ({text.splitlines()[0] if text else type(error).__name__})"
        ) from error
