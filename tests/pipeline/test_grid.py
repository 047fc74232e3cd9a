"""The grid over many devices ends as the serial run does, whatever dies on the way."""

import json
import os
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from capnet.errors import UserError
from pipeline import grid, paths

GRID = ("python", "-m", "pipeline.grid")
CELLS = ("synthetic-baseline-1", "synthetic-s_times_c-1")


@pytest.fixture(autouse=True)
def _signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def on(cores):
    """Options of a process that may use so many cores: what a cell gets decides the last bits."""
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    return {"preexec_fn": lambda: os.sched_setaffinity(0, chosen)}


def several_epochs(params):
    params["datasets"]["synthetic"]["override"]["train"].update(epochs=6)


def process_of(project, *words):
    """The process in a project whose command line has all these words."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if process.info["cwd"] == str(project.root) and set(words) <= set(command):
            return process
    return None


def awaited(found, seconds=120):
    """What `found` returns as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return result


@pytest.mark.slow
@pytest.mark.distributed
def test_two_cells_at_once_of_which_one_is_killed_equal_the_serial_run(project, tmp_path):
    project.params(several_epochs)
    serial = project.copy(tmp_path / "serial")
    with ThreadPoolExecutor() as pool:
        run = pool.submit(project.run, *GRID, "--at-once", "2", **on(2))
        awaited((project.root / paths.work(CELLS[0]) / "state.pt").exists)
        process_of(project, "pipeline.train", "baseline").send_signal(signal.SIGKILL)
    assert run.result().returncode == 0, run.result().stderr
    assert f"{CELLS[0]}: killed by SIGKILL; retry 1 of 2" in run.result().stderr
    assert len(re.findall(r": trained; [01] left", run.result().stderr)) == 2
    assert json.loads(project.done("dvc", "status", "--json", "train")) == {}
    assert "Running stage 'train@" not in project.done("dvc", "repro", "--dry", "evaluate")
    alone = serial.run("dvc", "repro", "train", **on(1))
    assert alone.returncode == 0, alone.stderr
    for key, resumed in zip(CELLS, (1, 0), strict=True):
        facts = json.loads((project.root / paths.results(key) / "training.json").read_text())
        assert facts["resumed"] == resumed
        assert not (project.root / paths.work(key)).exists()
        assert project.digests(str(paths.model(key))) == serial.digests(str(paths.model(key)))
        histories = [(p.root / paths.results(key) / "history.csv") for p in (project, serial)]
        assert len({history.read_bytes() for history in histories}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--at-once", "9999"],
            r"--at-once 9999: this machine has \d+ (cores|GPUs), a cell needs one",
        ),
        (["partition=gpu"], r"partition=gpu: options are for --cluster slurm"),
        (["--cluster", "slurm"], r"srun and sbatch are not on the PATH"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grid.shutil, "which", lambda _: None)
    monkeypatch.setattr(grid, "dvc", pytest.fail)
    monkeypatch.setattr(sys, "argv", ["capnet grid", *arguments])
    with pytest.raises(UserError, match=message):
        grid.main()


@pytest.mark.parametrize(
    ("option", "message"),
    [("gpu", r"gpu: expected <name>=<value>"), ("colour=red", r"Unknown argument 'colour'")],
)
def test_an_option_that_sbatch_lacks_is_refused(tmp_path, monkeypatch, option, message):
    monkeypatch.chdir(tmp_path)
    for name in ("srun", "sbatch"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=message):
        grid.executor_of("slurm", None, [option])


def test_without_submitit_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["capnet grid"])
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.delitem(sys.modules, "pipeline.fan", raising=False)
    with pytest.raises(UserError, match=r"submitit.*pip install 'capnet\[grid\]'"):
        grid.main()


def test_nothing_is_submitted_where_everything_is_up_to_date(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["capnet grid"])
    monkeypatch.setattr(grid, "dvc", lambda *command, capture=False: "{}")
    with caplog.at_level("INFO"):
        grid.main()
    assert "every training is up to date" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--cluster", "moon"], "local"), (["--at-once", "0"], "at least 1")],
)
def test_a_mistyped_argument_is_refused(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["capnet grid", *arguments])
    with pytest.raises(SystemExit) as stop:
        grid.main()
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
