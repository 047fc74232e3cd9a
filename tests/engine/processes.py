"""The same small work on 4, 2 and 1 processes of this machine, for test_distributed."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from capnet.data.augment import augment
from capnet.engine import distributed, learner
from capnet.engine import train as training
from capnet.engine.assemble import network_of
from capnet.engine.interrupt import StoppedError
from capnet.engine.train import objective, train
from capnet.engine.work import WorkFolder
from capnet.models.batchnorm import synchronise
from capnet.models.network import Output
from capnet.ops.collective import gathered, summed
from capnet.records import Record
from capnet.settings import Run
from tests.engine.tiny import run_of

WORLDS = (4, 2, 1)
BATCH = {"ids_per_batch": 4, "images_per_id": 2}
# One step of each: what the paper does, and every other way to take a batch's statistics.
STEPS: dict[str, Run] = {
    "s_times_c": run_of(train=BATCH),
    "s, map2d": run_of("s", train=BATCH, model={"neck": "map2d"}, attention={"cam_gradient": True}),
}


def outcomes(folder: Path, records: Sequence[Record], root: Path) -> dict[int, dict[str, Any]]:
    """Do the work with each number of processes; what the first process found, by number."""
    ports = {world: _free_port() for world in WORLDS}
    mp.set_forkserver_preload(["accelerate", "torchvision.transforms.v2"])  # import torch once
    processes = mp.start_processes(
        _process,
        (folder, records, root, ports),
        nprocs=max(WORLDS),
        join=False,
        start_method="forkserver",
    )
    deadline = time.monotonic() + 300
    while not processes.join(timeout=5):  # raises what a process raised
        if time.monotonic() > deadline:
            for process in processes.processes:
                process.kill()
            raise TimeoutError("the processes wait for each other")
    return {world: torch.load(folder / f"{world}.pt", weights_only=True) for world in WORLDS}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _process(
    rank: int, folder: Path, records: Sequence[Record], root: Path, ports: dict[int, int]
) -> None:
    distributed.cores_per_process = lambda: 1
    torch.set_num_threads(1)
    for world in WORLDS:
        if rank >= world:
            return
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        launcher = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": ports[world]} | places
        os.environ |= {name: str(value) for name, value in launcher.items()}
        accelerator = Accelerator(cpu=True, mixed_precision="no")
        assert accelerator.num_processes == world
        train_records = [record for record in records if record.split == "train"]
        found = {
            "collective": collective(rank, world),
            "steps": {name: step(accelerator, run) for name, run in STEPS.items()},
        }
        if world == 4:
            found["refused"] = refused(folder / "refused", train_records, root)
        work = folder / f"work{world}"
        work.mkdir(exist_ok=True)
        run = run_of(train=BATCH | {"epochs": 4, "warmup_epochs": 1, "decay_epochs": [3]})
        if world == 2:
            found["stopped"] = stopped(run, train_records, root, WorkFolder(work, run, {}))
        in_float64(train)(run, train_records, root, WorkFolder(work, run, {}))  # leaves the group
        AcceleratorState._reset_state(reset_partial_state=True)
        if rank == 0:
            torch.save(found, folder / f"{world}.pt")


def in_float64(work: Callable[..., None]) -> Callable[..., None]:
    """Do work with networks and images in float64, in which rounding cannot hide a difference.

    In float32, Adam makes whole steps of gradients that are 0 but for rounding.
    """

    def done(*arguments: Any) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(learner, "network_of", lambda *a, **k: network_of(*a, **k).double())
            patch.setattr(training, "augment", lambda *a: augment(*a).double())
            work(*arguments)

    return done


def stopped(run: Run, records: Sequence[Record], root: Path, work: WorkFolder) -> list[str]:
    """Where each process of a training stops when the second alone is asked to at its 3rd batch."""
    counted = iter(range(1, 100))

    def asking(*arguments: Any) -> dict[str, Tensor]:
        if next(counted) == 3 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGTERM)
        return objective(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "objective", asking)
        with pytest.raises(StoppedError) as error:
            in_float64(train)(run, records, root, work)
    places: list[Any] = [None] * 2
    dist.all_gather_object(places, str(error.value))
    return places


def shard_of(whole: Tensor, rank: int, world: int) -> Tensor:
    """The part of a batch that one process has."""
    return whole.chunk(world)[rank]


def collective_inputs() -> tuple[Tensor, Tensor]:
    """A batch (8, 3, 2, 2), not contiguous, and a weight (3, 1, 1) that all processes share."""
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(8, 3, 2, 2, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 1, 1, generator=generator, dtype=torch.float64)
    return batch.to(memory_format=torch.channels_last), weight


def collective_loss(total: Tensor, everything: Tensor) -> Tensor:
    """Any function of a sum over the batch (3, 2, 2) and of the whole batch (8, 3, 2, 2)."""
    return (total * everything.square().mean(0)).sum() + (everything - total).exp().mean()


def collective(rank: int, world: int) -> dict[str, Tensor]:
    """A loss of a sum and of a concatenation, and its gradients averaged as DDP would."""
    batch, weight = collective_inputs()
    mine = shard_of(batch, rank, world).clone().requires_grad_()
    weight.requires_grad_()
    local = (mine * weight).tanh()
    loss = collective_loss(summed(local.sum(0)), gathered(local))
    loss.backward()
    return {
        "loss": loss.detach(),
        "batch": gathered(mine.grad) / world,
        "weight": summed(weight.grad) / world,
        "integers": gathered(shard_of(torch.arange(8), rank, world)),
    }


def step(accelerator: Accelerator, run: Run) -> dict[str, Any]:
    """Loss terms, gradients and running statistics of one global batch in float64."""
    rank, world = accelerator.process_index, accelerator.num_processes
    generator = torch.Generator().manual_seed(4)
    images = torch.randn(8, 3, 64, 32, generator=generator, dtype=torch.float64)
    labels = torch.arange(4).repeat_interleave(2)
    torch.manual_seed(run.seed)
    network = synchronise(network_of(run, 4, pretrained=False).double(), accelerator.device)
    model = accelerator.prepare(network)
    own = shard_of(labels, rank, world)
    output = Output(*map(gathered, model(shard_of(images, rank, world), own)))
    terms = objective(output, gathered(own), run)
    accelerator.backward(terms["loss"])
    network = accelerator.unwrap_model(model)
    return {
        "terms": {name: value.detach() for name, value in terms.items()},
        "losses": gathered(terms["loss"].detach()[None]),
        "gradients": {name: value.grad for name, value in network.named_parameters()},
        "statistics": dict(network.named_buffers()),
    }


def refused(work: Path, records: Sequence[Record], root: Path) -> str:
    """What is said of a batch of 2 people, which 4 processes cannot share."""
    run = run_of(train={"ids_per_batch": 2})
    work.mkdir(exist_ok=True)
    try:
        train(run, records, root, WorkFolder(work, run, {}))
    except ValueError as error:
        return str(error)
    raise AssertionError("four processes shared two people")
