"""Ranking against the bare matrix product: time as a ratio within one run, and memory.

python -m bench.ranking [--size cuhk03|market|msmt17|500k] [--repeats 3] [--rerank]

Embeddings are random (`random`: matches lie anywhere, the worst case) or drawn around one centre
per person (`people`: what a trained network gives). Ratios are to the faster bare product of the
queries and the gallery, for re-ranking to that of all images; best of the rounds, since whatever
else the machine does only adds. `sorted` is the usual evaluation, a stable argsort per query, timed
on 64 queries and scaled up. Targets: ranking 1.15 and 32 MiB (Market), re-ranking 1.4 and 700 MiB.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from capnet.ops.ranking import rank_embeddings
from capnet.ops.rerank import k_reciprocal_distance

# queries, gallery, persons in the gallery, cameras
SIZES = {
    "cuhk03": (1400, 5332, 700, 2),
    "market": (3368, 15913, 751, 6),
    "msmt17": (11659, 82161, 3060, 15),
    "500k": (1000, 500_000, 751, 6),
}
DISTRACTORS = {"market": 2798, "500k": 486_885}
WIDTH = 2048


def make(size: str, spread: float) -> tuple[torch.Tensor, ...]:
    """Draw L2-normalised embeddings with the set's ids: query, gallery, pids, pids, cams, cams."""
    queries, items, persons, cameras = SIZES[size]
    rng = np.random.default_rng(1)
    gallery_pids = rng.integers(1, persons + 1, items)
    gallery_pids[: DISTRACTORS.get(size, 0)] = 0
    query_pids = rng.integers(1, persons + 1, queries)
    centres = torch.randn(persons + 1, WIDTH, generator=torch.Generator().manual_seed(1))
    centres[0] = 0

    def draw(pids: np.ndarray) -> torch.Tensor:
        noise = torch.Generator().manual_seed(len(pids))
        drawn = torch.randn(len(pids), WIDTH, generator=noise)
        if spread < np.inf:
            drawn.mul_(spread)
            for start in range(0, len(pids), 4096):
                drawn[start : start + 4096] += centres[pids[start : start + 4096]]
        return drawn.div_(drawn.norm(dim=1, keepdim=True))

    ids = (query_pids, gallery_pids, rng.integers(0, cameras, queries))
    cams = rng.integers(0, cameras, items)
    return draw(query_pids), draw(gallery_pids), *map(torch.from_numpy, (*ids, cams))


def sorted_evaluation(query: torch.Tensor, gallery: torch.Tensor) -> None:
    """Compute one block of distances and sort each row, as most evaluators do."""
    np.argsort((query @ gallery.T).numpy(), axis=1, kind="stable")


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds and the peak of additional resident memory in MiB (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    start = time.perf_counter()
    work()
    return time.perf_counter() - start, _resident("VmHWM") - before


def _resident(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def compare(
    query: torch.Tensor, gallery: torch.Tensor, ids: list[torch.Tensor], repeats: int, rerank: bool
) -> dict[str, tuple[float, float]]:
    """Return the least seconds and the most memory of each way over some rounds."""
    sample = query[:: max(1, len(query) // 64)]
    work: dict[str, Callable[[], object]] = {
        "product, torch": lambda: query @ gallery.T,
        "product, NumPy": lambda: query.numpy() @ gallery.numpy().T,  # fills the BLAS's own buffers
        "rank_embeddings": lambda: rank_embeddings(query, gallery, *ids),
        "sorted": lambda: sorted_evaluation(sample, gallery),
    }
    if rerank:
        images = torch.cat([query, gallery]).numpy()
        work["re-ranking"] = lambda: k_reciprocal_distance(query, gallery)
        work["its product"] = lambda: [part @ images.T for part in np.array_split(images, 16)]
    rounds = [{name: measure(call) for name, call in work.items()} for _ in range(repeats)]
    best = {}
    for name in work:
        seconds, memory = zip(*(one[name] for one in rounds), strict=True)
        best[name] = (min(seconds), max(memory))
    best["sorted"] = (best["sorted"][0] * len(query) / len(sample), best["sorted"][1])
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="cuhk03")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rerank", action="store_true", help="also k-reciprocal re-ranking")
    options = parser.parse_args()
    print(f"{options.size}: queries, gallery, persons, cameras = {SIZES[options.size]}")
    print(f"{'':26}{'seconds':>10}{'ratio':>8}{'extra MiB':>11}")
    for kind, spread in (("random", np.inf), ("people", 3.2)):
        query, gallery, *ids = make(options.size, spread)
        best = compare(query, gallery, ids, options.repeats, options.rerank)
        base = min(best["product, NumPy"][0], best["product, torch"][0])
        for name, (seconds, memory) in best.items():
            own = best["its product"][0] if name == "re-ranking" else base
            print(f"{kind:7} {name:18}{seconds:10.3f}{seconds / own:8.2f}{memory:11.0f}")


if __name__ == "__main__":
    main()
