"""Whatever ends a training or an evaluation, at whatever moment: nothing is lost (fault table)."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.pipeline.kills import FIXED

SOURCE = Path(__file__).parents[2]
ON_CPU = {"ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(SOURCE)}
POINTS = int(os.environ.get("CAPNET_KILLS", "100"))


@pytest.fixture
def prepared(project):
    """The tiny project with its data, and a training of four epochs."""

    def more(params):
        train = params["datasets"]["synthetic"]["override"]["train"]
        train.update(epochs=4, keep_every=1)

    project.params(more)
    project.done("python", "-m", "pipeline.code_lock")
    project.done("python", "-m", "pipeline.prepare", "synthetic")
    return project


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing_and_change_nothing(prepared):
    command = (sys.executable, "-m", "tests.pipeline.faults", "--points", str(POINTS))
    done = prepared.run(*command, environment=ON_CPU)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = Counter(row[-1] for row in rows)
    kills = [row for row in rows if row[0]]
    assert len(kills) >= len(FIXED) + POINTS
    assert {row[3] for row in kills} >= FIXED.keys()
    assert {row[2] for row in kills} == {"train", "evaluate"}
    assert outcomes["all equal"] >= 1
    assert outcomes.keys() <= {"nothing lost", "done, runs again", "all equal"}
