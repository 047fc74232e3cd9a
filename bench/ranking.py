"""Ranking against the bare matrix product: time as a ratio within one run, memory, and growth.

python -m bench.ranking [--size cuhk03 market msmt17 500k] [--labels market1501-labels.npz]
                        [--kind random people] [--shuffled] [--repeats 3] [--rerank]

Embeddings are random (`random`: matches lie anywhere, the worst case) or drawn around one centre
per person (`people`: what a trained network gives). Images come by person, as data sets list them,
or in no order (`--shuffled`). Ratios are to the faster bare product of the queries and the gallery
without its junk, for re-ranking to that of all images; best of the rounds, since whatever else the
machine does only adds. `sorted` is the usual evaluation, a stable argsort per query, and `oracle`
the tests' plain loops: both timed on some queries and scaled up. `peer` lines are others' ratios to
the product on another machine. With more than one size, a last table shows the growth.
Ids and cameras are drawn too, Market's unless `--labels` names a file of the true ones: arrays
query_pid, query_camid, gallery_pid, gallery_camid, to which 500k adds distractors.
Targets: ranking 1.15 and 32 MiB (Market), 128 MiB (MSMT17), re-ranking 1.4 and 700 MiB (Market),
4 GiB in all (MSMT17, re-ranked scores: the embeddings are 0.7 GiB).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from capnet.ops.ranking import rank_embeddings
from capnet.ops.rerank import k_reciprocal_distance, rank_reranked
from tests.reference import rank_reference

# queries, gallery, persons in the gallery, cameras
SIZES = {
    "cuhk03": (1400, 5332, 700, 2),
    "market": (3368, 15913, 751, 6),
    "msmt17": (11659, 82161, 3060, 15),
    "500k": (1000, 500_000, 751, 6),
}
DISTRACTORS = {"market": 2798, "500k": 486_885}
SPLITS = ("query", "gallery")
WIDTH = 2048
SPREAD = {"random": math.inf, "people": 3.2}
# Time over the bare product, and extra MiB where it is known: distances and ranking together.
PEERS = {
    "market": {
        "fast-reid, compiled": (4.06, 721),
        "torchreid, compiled": (4.42, 1116),
        "torchreid, Python": (47.9, 1452),
        "OML": (4.89, 2333),
    },
    "msmt17": {"fast-reid, compiled": (5.23, math.nan)},
}
Cost = tuple[float, float]  # seconds, MiB


def draw_ids(size: str, labels: Path | None, shuffled: bool = False) -> list[torch.Tensor]:
    """Return query pids, gallery pids, query cameras and gallery cameras of a set."""
    queries, items, persons, cameras = SIZES[size]
    rng = np.random.default_rng(1)
    ids = [
        rng.integers(1, persons + 1, queries),
        rng.integers(1, persons + 1, items),
        rng.integers(0, cameras, queries),
        rng.integers(0, cameras, items),
    ]
    ids[1][: DISTRACTORS.get(size, 0)] = 0
    ids[:2] = np.sort(ids[0]), np.sort(ids[1])
    if labels is not None and size in DISTRACTORS:
        with np.load(labels) as true:
            known = [true[f"{split}_{name}"] for name in ("pid", "camid") for split in SPLITS]
        more = items - len(known[1]) if size == "500k" else 0  # distractors, by any camera
        ids[0], ids[2] = known[0][:queries], known[2][:queries]
        ids[1] = np.concatenate([known[1], np.zeros(more, dtype=np.int64)])
        ids[3] = np.concatenate([known[3], ids[3][:more]])
    if shuffled:
        orders = [rng.permutation(len(pids)) for pids in ids[:2]] * 2
        ids = [values[order] for values, order in zip(ids, orders, strict=True)]
    return [torch.from_numpy(values.astype(np.int64)) for values in ids]


def draw(pids: torch.Tensor, spread: float) -> torch.Tensor:
    """Draw an L2-normalised embedding (N, WIDTH) for each pid."""
    centres = torch.randn(int(pids.max()) + 1, WIDTH, generator=torch.Generator().manual_seed(1))
    centres[0] = 0
    drawn = torch.randn(len(pids), WIDTH, generator=torch.Generator().manual_seed(len(pids)))
    for part, owners in zip(drawn.split(4096), pids.clamp(min=0).split(4096), strict=True):
        if spread < math.inf:
            part.mul_(spread).add_(centres[owners])
        part.div_(part.norm(dim=1, keepdim=True))
    return drawn


def product(query: torch.Tensor, gallery: torch.Tensor, in_numpy: bool) -> None:
    """Multiply and forget, at most 4 GiB of distances at one time."""
    for part in query.chunk(math.ceil(4 * len(query) * len(gallery) / 2**32)):
        _ = part.numpy() @ gallery.numpy().T if in_numpy else part @ gallery.T
        del _


def square_product(images: torch.Tensor, in_numpy: bool) -> None:
    """Multiply all images by all images, a sixteenth at a time."""
    buffer = torch.empty(math.ceil(len(images) / 16), len(images))
    for part in images.chunk(16):
        out = buffer[: len(part)]
        if in_numpy:
            np.matmul(part.numpy(), images.numpy().T, out=out.numpy())
        else:
            torch.mm(part, images.T, out=out)


def sorted_evaluation(query: torch.Tensor, gallery: torch.Tensor) -> None:
    """Compute one block of distances and sort each row, as most evaluators do."""
    np.argsort((query @ gallery.T).numpy(), axis=1, kind="stable")


def oracle(query: torch.Tensor, gallery: torch.Tensor, ids: list[torch.Tensor], step: int) -> None:
    """Rank each `step`-th query with the tests' plain loops."""
    query_pids, gallery_pids, query_camids, gallery_camids = (values.tolist() for values in ids)
    distance = (-query[::step] @ gallery.T).numpy()
    rank_reference(distance, query_pids[::step], gallery_pids, query_camids[::step], gallery_camids)


def measure(work: Callable[[], object]) -> Cost:
    """Return seconds and the peak of additional resident memory in MiB (Linux)."""
    time.sleep(0.2)  # until the threads of the last product sleep too
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
) -> dict[str, Cost]:
    """Return the least seconds and the most memory of each way over some rounds."""
    real = gallery[ids[1] >= 0]
    few, fewer = max(1, len(query) // 64), max(1, len(query) // 2)
    work: dict[str, Callable[[], object]] = {
        "product, torch": lambda: product(query, real, in_numpy=False),
        "product, NumPy": lambda: product(query, real, in_numpy=True),  # fills BLAS's buffers
        "rank_embeddings": lambda: rank_embeddings(query, gallery, *ids),
        "sorted": lambda: sorted_evaluation(query[::few], gallery),
        "oracle": lambda: oracle(query, gallery, ids, fewer),
    }
    if rerank:
        images = torch.cat([query, gallery])
        work["its product, torch"] = lambda: square_product(images, in_numpy=False)
        work["its product, NumPy"] = lambda: square_product(images, in_numpy=True)
        work["re-ranking"] = lambda: k_reciprocal_distance(query, gallery)
        work["re-ranked scores"] = lambda: rank_reranked(query, gallery, *ids)
    rounds = [{name: measure(call) for name, call in work.items()} for _ in range(repeats)]
    best = {}
    for name in work:
        seconds, memory = zip(*(one[name] for one in rounds), strict=True)
        best[name] = (min(seconds), max(memory))
    for name, step in (("sorted", few), ("oracle", fewer)):
        scale = len(query) / len(range(0, len(query), step))
        best[name] = (best[name][0] * scale, best[name][1])
    return best


def ratios(best: dict[str, Cost]) -> dict[str, float]:
    """Return each way's time over that of the product that it cannot do without."""
    base = min(best["product, NumPy"][0], best["product, torch"][0])
    squares = {name: cost[0] for name, cost in best.items() if name.startswith("its product")}
    square = min(squares.values(), default=base)
    own = dict.fromkeys((*squares, "re-ranking", "re-ranked scores"), square)
    return {name: seconds / own.get(name, base) for name, (seconds, _) in best.items()}


def show(size: str, kind: str, best: dict[str, Cost]) -> None:
    """Print one set's table."""
    for name, ratio in ratios(best).items():
        seconds, memory = best[name]
        print(f"{size:7} {kind:7} {name:20}{seconds:10.3f}{ratio:9.2f}{memory:11.0f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, nargs="+", default=["cuhk03"])
    parser.add_argument("--kind", choices=SPREAD, nargs="+", default=list(SPREAD))
    parser.add_argument("--labels", type=Path, help="Market's true ids and cameras (.npz)")
    parser.add_argument("--shuffled", action="store_true", help="images in no order")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rerank", action="store_true", help="also k-reciprocal re-ranking")
    options = parser.parse_args()
    if options.rerank and "500k" in options.size:
        parser.error("--rerank at 500k multiplies 500k by 500k images: leave one of them out")
    print(f"{'':36}{'seconds':>10}{'ratio':>9}{'extra MiB':>11}")
    growth = []
    for size in options.size:
        ids = draw_ids(size, options.labels, options.shuffled)
        for kind in options.kind:
            query, gallery = draw(ids[0], SPREAD[kind]), draw(ids[1], SPREAD[kind])
            best = compare(query, gallery, ids, options.repeats, options.rerank)
            show(size, kind, best)
            pairs = len(query) * len(gallery) / 1e6
            growth.append((f"{size:7} {kind:7}", pairs, len(gallery), best))
            del query, gallery
        for name, (ratio, memory) in PEERS.get(size, {}).items():
            print(f"{size:7} {'peer':7} {name:20}{'':10}{ratio:9.2f}{memory:11.0f}")
    if len(options.size) > 1:
        show_growth(growth)


def show_growth(growth: list[tuple[str, float, int, dict[str, Cost]]]) -> None:
    """Print how ranking grows: per pair of images, and memory per gallery image."""
    print(f"\n{'growth':16}{'M pairs':>9}{'seconds':>10}{'ns/pair':>9}", end="")
    print(f"{'ratio':>7}{'MiB':>7}{'KiB/item':>10}")
    for name, pairs, items, best in growth:
        seconds, memory = best["rank_embeddings"]
        ratio = ratios(best)["rank_embeddings"]
        print(f"{name:16}{pairs:9.0f}{seconds:10.2f}{1e3 * seconds / pairs:9.2f}", end="")
        print(f"{ratio:7.2f}{memory:7.0f}{1024 * memory / items:10.2f}")


if __name__ == "__main__":
    main()
