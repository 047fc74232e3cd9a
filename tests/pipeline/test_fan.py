"""Jobs through submitit, with trainers that only pretend to train."""

import json
import os
import re
import shutil
import signal
import threading
from pathlib import Path

import pytest

from pipeline import grid
from pipeline.devices import Share
from pipeline.fan import Fan

pytestmark = pytest.mark.distributed
SOURCE = Path(grid.__file__).parent
CORES = frozenset(os.sched_getaffinity(0))
ANYWHERE = Share("", CORES)
PRELUDE = """
import json, os, signal, sys, time
from pathlib import Path
folder = Path("-".join(sys.argv[1:]))
folder.mkdir(exist_ok=True)
tries = len(list(folder.iterdir()))  # so many were before
seen = {name: os.environ.get(name) for name in ("CUDA_VISIBLE_DEVICES", "CAPNET_ONLY_WORK")}
seen["cores"] = sorted(os.sched_getaffinity(0))
(folder / str(tries)).write_text(json.dumps(seen))
"""
POLITE = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
# Runs each task of an array as sbatch would, but here and now.
SBATCH = """#!/bin/bash
cp "$1" "submitted-$$.sh"
last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$1")
for task in $(seq 0 "${last:-0}"); do
  [ -z "$last" ] || export SLURM_ARRAY_JOB_ID=$$ SLURM_ARRAY_TASK_ID=$task
  SLURM_JOB_ID=$$ SLURM_CPUS_PER_TASK=1 bash "$1" > /dev/null 2>&1 &
done
echo "Submitted batch job $$"
"""
SRUN = """#!/bin/bash
shift 5  # --unbuffered --output <file> --error <file>
exec "$@" >> tasks.log 2>&1
"""
SACCT = "#!/bin/bash\necho 'JobID|State|NodeList'\n"


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """Change to a project whose trainer does what a test says."""
    monkeypatch.chdir(tmp_path)
    Path("pipeline").mkdir()
    for name in ("fan.py", "devices.py"):
        shutil.copy(SOURCE / name, "pipeline")
    Path("pipeline/__init__.py").touch()
    grid.FOLDER.mkdir(parents=True)
    return lambda body: Path("pipeline/train.py").write_text(PRELUDE + body)


def fan(*shares):
    return Fan(grid.executor_of("local", None, []), grid.FOLDER, shares)


def tries(key):
    """What each of a cell's trainers saw, in order."""
    return [json.loads(path.read_text()) for path in sorted(Path(key).iterdir())]


def test_each_cell_has_a_device_of_its_own(trainer):
    trainer("while len(list(Path().glob('x-*-1'))) < 2: time.sleep(0.01)")
    shares = [Share("3", CORES), Share("GPU-5", frozenset([min(CORES)]))]
    assert fan(*shares).train(["x-a-1", "x-b-1"]) == {}
    seen = [tries("x-a-1"), tries("x-b-1")]
    assert {one["CUDA_VISIBLE_DEVICES"] for (one,) in seen} == {"3", "GPU-5"}
    assert {tuple(one["cores"]) for (one,) in seen} == {tuple(sorted(s.cores)) for s in shares}
    assert {one["CAPNET_ONLY_WORK"] for (one,) in seen} == {"1"}


def test_no_more_cells_at_once_than_devices(trainer):
    trainer("Path('busy').mkdir(); time.sleep(0.1); Path('busy').rmdir()")
    assert fan(ANYWHERE).train(["x-a-1", "x-b-1"]) == {}
    assert [len(tries(key)) for key in ("x-a-1", "x-b-1")] == [1, 1]


def test_a_cell_that_died_is_tried_again(trainer):
    trainer("if tries == 0: os.kill(os.getpid(), signal.SIGKILL)\nif tries == 1: sys.exit(75)")
    assert fan(ANYWHERE).train(["x-a-1"]) == {}
    assert len(tries("x-a-1")) == 3


def test_a_cell_that_always_dies_does_not_stop_the_others(trainer, caplog):
    trainer("if 'a' in sys.argv: raise RuntimeError('device fell off')")
    failed = fan(ANYWHERE).train(["x-a-1", "x-b-1"])
    assert failed == {"x-a-1": f"ended with exit code 1, see {grid.FOLDER}/x-a-1.log"}
    assert "device fell off" in (grid.FOLDER / "x-a-1.log").read_text()
    assert len(tries("x-a-1")) == 3
    assert len(tries("x-b-1")) == 1
    assert "retry 2 of 2" in caplog.text


def test_what_the_user_must_mend_is_not_tried_again(trainer):
    trainer("sys.exit(os.environ['DVC_STAGE'] + ': error: lower\\nthe rate')")
    assert fan(ANYWHERE).train(["x-a-1"]) == {"x-a-1": "lower\nthe rate"}
    assert len(tries("x-a-1")) == 1


def test_a_job_that_is_lost_takes_its_trainer_with_it(trainer, monkeypatch):
    monkeypatch.setattr("submitit.Job._results_timeout_s", 0)
    trainer(POLITE + "if tries == 0: os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)")
    assert fan(ANYWHERE).train(["x-a-1"]) == {}
    assert len(tries("x-a-1")) == 2


def test_a_job_that_must_make_room_stops_its_trainer_and_is_queued_again(trainer, caplog):
    leaves = "Path('stopped').touch(), sys.exit(75)"
    trainer(
        f"signal.signal(signal.SIGTERM, lambda *_: ({leaves}))\n"
        "if tries == 0: os.kill(os.getppid(), signal.SIGUSR2); time.sleep(60)"
    )
    assert fan(ANYWHERE).train(["x-a-1"]) == {}
    assert Path("stopped").exists()
    assert len(tries("x-a-1")) == 2
    assert "retry" not in caplog.text


def test_an_interruption_ends_every_job(trainer, monkeypatch):
    trainer(POLITE + "Path('begun').touch(); time.sleep(60)")

    def interrupt():
        while not Path("begun").exists():
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    # Who starts the tests in the background lets them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        fan(ANYWHERE).train(["x-a-1", "x-b-1"])
    signal.signal(signal.SIGINT, before)
    assert len(tries("x-a-1")) == 1
    assert not Path("x-b-1").exists()


def test_all_cells_are_one_array_of_a_cluster(trainer, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path.cwd()}/bin", prepend=os.pathsep)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "of the cluster")
    Path("bin").mkdir()
    for name, script in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT}.items():
        Path("bin", name).write_text(script)
        Path("bin", name).chmod(0o755)
    trainer("if tries == 0 and 'a' in sys.argv: sys.exit(75)")
    executor = grid.executor_of("slurm", 1, ["partition=gpu", "time=600"])
    assert Fan(executor, grid.FOLDER, []).train(["x-a-1", "x-b-1"]) == {}
    assert [len(tries(key)) for key in ("x-a-1", "x-b-1")] == [2, 1]
    assert {one["CUDA_VISIBLE_DEVICES"] for one in tries("x-a-1")} == {"of the cluster"}
    both, again = sorted(
        (path.read_text() for path in Path().glob("submitted-*.sh")),
        key=lambda text: "--array" not in text,
    )
    asked = {"array=0-1%1", "partition=gpu", "time=600", "gpus-per-node=1", "signal=USR2@90"}
    assert asked <= set(re.findall("^#SBATCH --(.+)$", both, re.MULTILINE))
    assert "--array" not in again
