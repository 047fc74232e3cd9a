"""Train the cells of the grid that are out of date on many devices at once: `capnet grid`.

DVC runs its stages one by one. Here a scheduler trains the cells, each on a device of its own, up
to the state that the stage `train` would leave; then `dvc repro` runs these stages, which only move
what they find finished, so that DVC's own record of them is whole.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capnet.engine import checkpoint
from capnet.errors import UserError
from pipeline import paths
from pipeline.devices import shares_of
from pipeline.stage import stage

if TYPE_CHECKING:
    from submitit import AutoExecutor

FOLDER = paths.work("grid")
YEAR = 365 * 24 * 60  # minutes
SLURM = {  # of one cell; whoever runs it changes and adds to these
    "job_name": "capnet",
    "gpus_per_node": 1,
    "cpus_per_task": 8,
    "time": 24 * 60,
    "setup": ["export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK"],  # newer versions of srun need it
}

log = logging.getLogger(__name__)


def main() -> None:
    """Train what is out of date; exit code 1 if a cell failed, while the others are kept."""
    arguments = _arguments()
    try:
        from pipeline.fan import Fan
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error}: the grid goes through submitit; `pip install 'capnet[grid]'` adds it"
        ) from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with checkpoint.exclusive(FOLDER):
        executor = executor_of(arguments.cluster, arguments.at_once, arguments.options)
        shares = shares_of(arguments.at_once) if arguments.cluster == "local" else []
        dvc("repro", "prepare")
        keys = out_of_date()
        if not keys:
            log.info("every training is up to date")
            return
        log.info("trainings out of date: %d", len(keys))
        try:
            failed = Fan(executor, FOLDER, shares).train(keys)
        except KeyboardInterrupt:
            raise UserError(
                "stopped; what was trained is kept, and another start goes on"
            ) from None
        if done := [f"train@{key}" for key in keys if key not in failed]:
            dvc("repro", "--keep-going", *done)
    if failed:
        lines = [f"{key}: {reason}" for key, reason in failed.items()]
        raise UserError("\n  ".join([f"{len(failed)} of {len(keys)} trainings failed:", *lines]))
    log.info("all are trained; `dvc repro` evaluates them and writes the report")


def out_of_date() -> list[str]:
    """Return the keys of the cells that `dvc repro train` would train."""
    status = json.loads(dvc("status", "--json", "train", capture=True))
    return [name.removeprefix("train@") for name in status]


def executor_of(cluster: str, at_once: int | None, options: Sequence[str]) -> AutoExecutor:
    """Return submitit's executor; `options` are key=value, as sbatch has them with underscores."""
    from submitit import AutoExecutor

    if cluster == "local":
        if options:
            raise UserError(f"{options[0]}: options are for --cluster slurm")
        executor = AutoExecutor(FOLDER / "jobs", "local")
        executor.update_parameters(timeout_min=YEAR)
        return executor
    if not shutil.which("srun") or not shutil.which("sbatch"):
        raise UserError("--cluster slurm: srun and sbatch are not on the PATH of this machine")
    chosen: dict[str, Any] = dict(SLURM)
    if at_once:
        chosen["array_parallelism"] = at_once
    for option in options:
        name, given, value = option.partition("=")
        if not given:
            raise UserError(f"{option}: expected <name>=<value>, like partition=gpu or time=600")
        chosen[name] = int(value) if value.isdigit() else value
    executor = AutoExecutor(FOLDER / "jobs" / "%j", "slurm", slurm_max_num_timeout=100)
    try:
        executor.update_parameters(**{f"slurm_{name}": value for name, value in chosen.items()})
    except NameError as error:  # submitit's way to refuse a parameter
        raise UserError(str(error).splitlines()[0]) from error
    return executor


def dvc(*arguments: str, capture: bool = False) -> str:
    """Run a command of DVC with this environment's Python and without a GPU; UserError if it fails.

    Returns what it printed, or nothing unless that is captured.
    """
    environment = {name: v for name, v in os.environ.items() if name != "CAPNET_ONLY_WORK"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment["CUDA_VISIBLE_DEVICES"] = ""  # one process is enough to move what is finished
    command = [sys.executable, "-m", "dvc", *arguments]
    run = subprocess.run(
        command, env=environment, text=True, stdout=subprocess.PIPE if capture else None
    )
    if run.returncode:
        raise UserError(f"`dvc {' '.join(arguments)}` failed; see above")
    return run.stdout or ""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="capnet grid", description=__doc__)
    parser.add_argument("--cluster", choices=("local", "slurm"), default="local")
    parser.add_argument("--at-once", type=int, help="cells (default: GPUs here; all on SLURM)")
    parser.add_argument("options", nargs="*", help="of sbatch: partition=gpu time=600 account=me")
    arguments = parser.parse_args()
    if arguments.at_once is not None and arguments.at_once < 1:
        parser.error("--at-once: at least 1")
    return arguments


if __name__ == "__main__":
    stage(main)
