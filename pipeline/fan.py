"""Cells of the grid as jobs of a scheduler: one device each, and another try for what died."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from submitit import AutoExecutor, Job
from submitit.core.utils import DelayedSubmission, FailedJobError, UncompletedJobError

from pipeline.devices import Share

RETRIES = 2
PR_SET_PDEATHSIG = 1  # prctl(2)

log = logging.getLogger(__name__)


class Training:
    """Trains one cell and leaves it in models/work/<key>; pickled, and called where the job runs.

    Its share is None where the scheduler gives a job its devices.
    """

    def __init__(self, key: str, output: Path, share: Share | None) -> None:
        self.key, self.output, self.share = key, output, share
        self.trainer: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Return the trainer's exit code, -N for a signal; what it says goes to `output`."""
        environment = os.environ | {"CAPNET_ONLY_WORK": "1", "DVC_STAGE": f"train@{self.key}"}
        if self.share is not None:
            environment["CUDA_VISIBLE_DEVICES"] = self.share.gpu
            os.sched_setaffinity(0, self.share.cores)
        command = [sys.executable, "-m", "pipeline.train", *self.key.split("-")]
        prctl = ctypes.CDLL(None).prctl

        def ends_with_the_job() -> None:
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # meant for the job; some send it to all

        with self.output.open("ab") as output:
            self.trainer = subprocess.Popen(
                command, env=environment, stdout=output, stderr=output, preexec_fn=ends_with_the_job
            )
        try:
            return self.trainer.wait()
        finally:
            self.trainer.terminate()  # where the job was cancelled

    def checkpoint(self) -> DelayedSubmission:
        """Let the trainer save its state and end: the scheduler is about to queue the job again."""
        if self.trainer is not None:
            self.trainer.terminate()
            # Not trainer.wait(), which __call__ is in: submitit interrupts it with this.
            os.waitid(os.P_PID, self.trainer.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(Training(self.key, self.output, self.share))


class Fan:
    """Sends cells through a scheduler, as many at once as there are shares.

    Without shares all are submitted together, as one array, and the scheduler decides.
    """

    def __init__(self, executor: AutoExecutor, folder: Path, shares: Sequence[Share]) -> None:
        self.executor, self.folder = executor, folder
        self.places = len(shares)
        self.shares: SimpleQueue[Share | None] = SimpleQueue()
        for share in shares:
            self.shares.put(share)
        self.jobs: dict[str, Job[int]] = {}
        self.stopped = False

    def train(self, keys: Sequence[str]) -> dict[str, str]:
        """Train cells; return why one failed, by its key. Ctrl-C cancels all jobs."""
        failed: dict[str, str] = {}
        for key in keys:
            self.output(key).unlink(missing_ok=True)
        if not self.places:
            with self.executor.batch():
                self.jobs = {key: self._submit(key, None) for key in keys}
            for _ in keys:
                self.shares.put(None)
        with ThreadPoolExecutor(self.places or len(keys)) as pool:
            cells = {pool.submit(self._cell, key): key for key in keys}
            try:
                for left, cell in enumerate(as_completed(cells), start=1 - len(keys)):
                    key, reason = cells[cell], cell.result()
                    if reason:
                        failed[key] = reason
                    log.info("%s: %s; %d left", key, reason or "trained", -left)
            except BaseException:
                self.stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                for job in list(self.jobs.values()):
                    job.cancel(check=False)
                raise
        return failed

    def output(self, key: str) -> Path:
        """Return the file of what a cell's trainer says."""
        return self.folder / f"{key}.log"

    def _submit(self, key: str, share: Share | None) -> Job[int]:
        return self.executor.submit(Training(key, self.output(key), share))

    def _cell(self, key: str) -> str:
        """Train one cell, again where its trainer died; return why it failed, or nothing."""
        share = self.shares.get()
        try:
            for retry in range(1 + RETRIES):
                job = self.jobs[key] if key in self.jobs else self._submit(key, share)
                self.jobs[key] = job
                reason, died = self._follow(key, job)
                if not died or self.stopped or retry == RETRIES:
                    break
                log.warning("%s: %s; retry %d of %d", key, reason, retry + 1, RETRIES)
                del self.jobs[key]
            return reason
        finally:
            self.shares.put(share)

    def _follow(self, key: str, job: Job[int]) -> tuple[str, bool]:
        """Wait for a job; return why it failed, or nothing, and whether it may end otherwise."""
        started = False
        while not job.done():
            if not started and self.output(key).exists():
                started = True
                log.info("%s: started; see %s", key, self.output(key))
            time.sleep(0.5)
        if self.stopped:
            return "stopped", False
        try:
            code = job.result()
        except (UncompletedJobError, FailedJobError):
            return f"its job was lost, see {job.paths.stderr}", True
        if code < 0:
            return f"killed by {signal.Signals(-code).name}", True
        said = self.output(key).read_text(encoding="utf-8", errors="replace")
        _, marked, message = said.rpartition(f"train@{key}: error: ")
        if code == 1 and marked:
            return message.strip(), False
        return f"ended with exit code {code}, see {self.output(key)}" if code else "", code != 0
