"""Kill a training and its evaluation at random moments until both are done, over and over.

In a project whose data are prepared: `python -m tests.pipeline.faults --points 100 --seed 1`.
Prints a line per kill, as tab-separated values: its number, the round (a round ends when both
stages are done), the stage, the milliseconds since its start, what the disk holds afterwards, and
the outcome: whether nothing that was saved before is lost, and at a round's end whether all
results are, byte for byte, those of the stages that nothing interrupted.

Children are forked from a process that has imported torch, so a start takes a quarter of a second.
Before each start go the outputs that DVC would remove.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from math import inf
from pathlib import Path

import torch

from capnet.engine import checkpoint, distributed
from pipeline import evaluate, paths, train
from pipeline.stage import stage
from tests.pipeline.kills import FIXED, Fault

CELL = ("synthetic", "s_times_c", "1")
KEY = paths.run_key(*CELL)
STAGES = {"train": train.main, "evaluate": evaluate.main}
OUTPUTS = {
    "train": (
        paths.model(KEY),
        paths.results(KEY) / "history.csv",
        paths.results(KEY) / "training.json",
    ),
    "evaluate": (
        paths.evaluated(KEY),
        paths.results(KEY) / "metrics.json",
        paths.results(KEY) / "by_camera.csv",
    ),
}
TIMES = {"training.json"}  # says when
SEEN: set[Path] = set()  # halves of files that an earlier kill left


def start(name: str, prepare: Callable[[], None] = lambda: None) -> int:
    """Start a stage as DVC would, in a child of its own; return the child."""
    for output in OUTPUTS[name]:
        shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        torch.set_num_threads(1)
        distributed.cores_per_process = lambda: 1
        sys.argv = [name, *CELL]
        log = os.open(f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 2)
        prepare()
        stage(STAGES[name])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(code)


def end(child: int, seconds: float = inf) -> int:
    """Wait for a child, and kill it after some seconds; its exit code, negative for a signal."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        if (found := os.waitpid(child, os.WNOHANG)) != (0, 0):
            return os.waitstatus_to_exitcode(found[1])
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def results() -> dict[str, str]:
    """Digests of all outputs that do not tell the time."""
    files = [
        file
        for output in (*OUTPUTS["train"], *OUTPUTS["evaluate"])
        for file in ([output] if output.is_file() else sorted(output.rglob("*")))
        if file.name not in TIMES
    ]
    return {str(file): sha256(file.read_bytes()).hexdigest() for file in files}


def uninterrupted() -> tuple[dict[str, str], dict[str, float]]:
    """Run both stages through; their results, and the seconds that each took."""
    forget()
    seconds = {}
    for name in STAGES:
        began = time.perf_counter()
        must_be_done(name, end(start(name)))
        seconds[name] = time.perf_counter() - began
    return results(), seconds


def must_be_done(name: str, code: int) -> None:
    """Raise RuntimeError with what a stage said unless it ended well."""
    if code:
        raise RuntimeError(f"{name} ended with {code}: {Path(f'{name}.log').read_text()}")


def forget() -> None:
    """Remove all results, and the state of an unfinished training."""
    for output in (*OUTPUTS["train"], *OUTPUTS["evaluate"], paths.work(KEY).parent):
        shutil.rmtree(output) if output.is_dir() else output.unlink(missing_ok=True)


def saved() -> tuple[int, int]:
    """Whole epochs and further batches in the training's state; raises if it is damaged."""
    path = paths.work(KEY) / "state.pt"
    if not path.exists():
        return (0, 0)
    progress = checkpoint.load(path)["progress"]
    return len(progress["history"]), len(progress["batches"])


def on_disk(name: str) -> str:
    """What a kill left of a stage, in words."""
    halves = [file for file in Path().rglob(".*.tmp") if file.is_file()]
    parts = [f"half of {half.name.split('.')[1]}" for half in halves if half not in SEEN]
    SEEN.update(halves)
    if name == "train":
        epochs, batches = saved()
        parts.insert(0, f"epoch {epochs}" + (f" batch {batches}" if batches else ""))
    parts += [output.name for output in OUTPUTS[name] if output.is_file()]
    return ", ".join(parts)


def killed(name: str, left: str, before: tuple[int, int]) -> str:
    """The outcome of a kill: what the stage had reached must still be there."""
    if name == "evaluate" or saved() >= before:
        return "nothing lost"
    # All was moved and the state is gone, but DVC does not know yet: it starts the stage again.
    return "done, runs again" if "training.json" in left else "LOST"


def rows(points: int, seed: int) -> Iterator[tuple[object, ...]]:
    """Kill at the fixed moments, then at `points` random ones or more; a row for each kill."""
    draws = random.Random(seed)
    expected, seconds = uninterrupted()

    def at_random(name: str) -> Iterator[tuple[str, Fault]]:
        for _ in range(6 if name == "train" else 3):
            delay = draws.uniform(0, 0.7 * seconds[name])
            yield f"after {1000 * delay:.0f} ms", Fault(seconds=delay)

    plans = [{name: [(words, fault)]} for words, (name, fault) in FIXED.items()]
    number, rounds = 0, 0
    while plans or number < len(FIXED) + points:
        plan = plans.pop(0) if plans else {name: list(at_random(name)) for name in STAGES}
        forget()
        rounds += 1
        for name in STAGES:
            before = (0, 0)
            for words, fault in plan.get(name, []):
                code = end(start(name, fault.arm), fault.seconds)
                if code != -signal.SIGKILL:
                    must_be_done(name, code)
                    break
                number += 1
                left = on_disk(name)
                yield number, rounds, name, words, left, killed(name, left, before)
                before = saved()
            else:
                must_be_done(name, end(start(name)))
        equal = "all equal" if results() == expected else "DIFFERENT"
        yield "", rounds, "both", "", "done", equal


def main() -> None:
    """Print the table; exit code 1 if anything was lost or differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100, help="kills at random moments")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    bad = 0
    for row in rows(options.points, options.seed):
        bad += row[-1] in {"LOST", "DIFFERENT"}
        sys.stdout.write("\t".join(map(str, row)) + "\n")
        sys.stdout.flush()
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
