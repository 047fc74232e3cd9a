"""The same ranking on 3, 2 and 1 processes of this machine, for test_shares."""

from __future__ import annotations

import dataclasses
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from capnet.ops import tiles
from capnet.ops.ranking import rank_together

WORLDS = (3, 2, 1)
SIZES = (1, 2, 13)  # queries: fewer than processes, and not a multiple of anything


def real_set(queries: int, items: int = 61, width: int = 33) -> tuple[Tensor, Tensor, Any]:
    """Embeddings whose distances are rounded, and ids with junk and queries without a match."""
    rng = np.random.default_rng(queries)
    query, gallery = (
        torch.from_numpy(rng.standard_normal((n, width))).float() for n in (queries, items)
    )
    ids = (
        rng.integers(0, 6, queries),
        rng.integers(-1, 5, items),
        rng.integers(0, 3, queries),
        rng.integers(0, 3, items),
    )
    return query, gallery, ids


def rankings(folder: Path) -> dict[tuple[int, int], Any]:
    """What each process found, by the number of processes and its rank."""
    ports = {world: _free_port() for world in WORLDS}
    processes = mp.start_processes(
        _process, (folder, ports), nprocs=max(WORLDS), join=False, start_method="forkserver"
    )
    deadline = time.monotonic() + 300
    while not processes.join(timeout=5):  # raises what a process raised
        if time.monotonic() > deadline:
            for process in processes.processes:
                process.kill()
            raise TimeoutError("the processes wait for each other")
    return {
        (world, rank): torch.load(folder / f"{world}-{rank}.pt", weights_only=False)
        for world in WORLDS
        for rank in range(world)
    }


def _process(rank: int, folder: Path, ports: dict[int, int]) -> None:
    torch.set_num_threads(1)
    tiles.QUERIES = 4
    for world in WORLDS:
        if rank >= world:
            return
        dist.init_process_group(
            "gloo", f"tcp://127.0.0.1:{ports[world]}", rank=rank, world_size=world
        )
        found = {}
        for queries in SIZES:
            query, gallery, ids = real_set(queries)
            found[queries] = dataclasses.asdict(rank_together(query, gallery, *ids))
        torch.save(found, folder / f"{world}-{rank}.pt")
        dist.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
