"""One training on several processes, machines even, started as the launch files say."""

import csv
import json
import os
import shutil
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from pipeline import paths

pytestmark = [pytest.mark.slow, pytest.mark.distributed]
LAUNCH = Path(__file__).resolve().parents[2] / "launch"
CELL = ("synthetic", "s_times_c", "1")
KEY = paths.run_key("synthetic", "s_times_c", 1)
SECONDS = 60  # in which the loss of one machine ends the others
ON_CPUS = {"ACCELERATE_USE_CPU": "1"}  # a launch file for GPUs, without any
CORES = sorted(os.sched_getaffinity(0))


def gentle(params):
    """Adam makes whole steps of a gradient that is 0 but for rounding: small ones, here."""
    override = params["datasets"]["synthetic"]["override"]["train"]
    override.update(epochs=5, learning_rate=1e-5)


@pytest.fixture(scope="module")
def prepared(initial, tmp_path_factory):
    """A project whose data set is ready."""
    project = initial.copy(tmp_path_factory.mktemp("nodes"))
    project.params(gentle)
    project.done("python", "-m", "pipeline.code_lock")
    project.done("python", "-m", "pipeline.prepare", "synthetic")
    yield project
    shutil.rmtree(project.root)


@pytest.fixture(scope="module")
def uninterrupted(prepared):
    """What two processes of one machine leave."""
    process = launched(prepared, CORES[:2], "gpus.yaml", "--num_processes", "2")
    assert process.returncode == 0, process.stderr
    return results(prepared)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def launched(project, cores, config, *arguments):
    """Train the cell as a launch file says; return the process."""
    file = ("--config_file", str(LAUNCH / config))
    command = ("accelerate", "launch", *file, *arguments, "-m", "pipeline.train", *CELL)
    alone = {"preexec_fn": lambda: os.sched_setaffinity(0, cores)}
    return project.run(*command, environment=ON_CPUS, **alone)


def two_nodes(project, pool, other=None):
    """Start both machines of nodes.yaml, of a core each; return what they will give."""
    projects = (project, other or project)
    address = ("--main_process_ip", "127.0.0.1", "--main_process_port", str(free_port()))
    given = ("nodes.yaml", "--num_processes", "2", *address, "--machine_rank")
    return [
        pool.submit(launched, projects[rank], [CORES[rank % len(CORES)]], *given, str(rank))
        for rank in (0, 1)
    ]


def results(project):
    """The bytes of the network and the history, and what training.json says."""
    network = (project.root / paths.model(KEY) / "model.pt").read_bytes()
    folder = project.root / paths.results(KEY)
    history = (folder / "history.csv").read_text()
    return network, history, json.loads((folder / "training.json").read_text())


def rows(history):
    return [[float(value) for value in row.values()] for row in csv.DictReader(history.split("\n"))]


def wait_for_an_epoch(project):
    """Wait until the next state is saved."""
    state, deadline = project.root / paths.work(KEY) / "state.pt", time.monotonic() + 120
    before = state.stat().st_mtime_ns if state.exists() else 0
    while not state.exists() or state.stat().st_mtime_ns == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lose_a_node(project, rank):
    """Kill one machine's launcher and its processes, as a crash would."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = " ".join(process.info["cmdline"] or [])
        if process.info["cwd"] == str(project.root) and f"--machine_rank {rank} " in command:
            for one in [process, *process.children(recursive=True)]:
                one.send_signal(signal.SIGKILL)


def test_as_many_processes_as_asked_for_train_as_one(prepared, uninterrupted):
    history, facts = uninterrupted[1:]
    assert facts["processes"] == 2
    alone = launched(prepared, CORES[:1], "cpu.yaml")
    assert alone.returncode == 0, alone.stderr
    assert results(prepared)[2]["processes"] == 1
    for ours, theirs in zip(rows(results(prepared)[1]), rows(history), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-4)


def test_a_lost_machine_ends_the_other_and_both_go_on_from_the_last_epoch(prepared, uninterrupted):
    network, history, _ = uninterrupted
    with ThreadPoolExecutor() as pool:
        for rank in (1, 0):
            nodes = two_nodes(prepared, pool)
            wait_for_an_epoch(prepared)
            lose_a_node(prepared, rank)
            lost = time.monotonic()
            assert nodes[rank].result().returncode == -signal.SIGKILL
            assert nodes[1 - rank].result().returncode > 0
            assert time.monotonic() - lost < SECONDS
        for node in two_nodes(prepared, pool):
            assert node.result().returncode == 0, node.result().stderr
    assert results(prepared)[:2] == (network, history)
    assert results(prepared)[2]["resumed"] == 2


def torchrun(project):
    """Train the cell on two processes with torchrun.sh; return the process."""
    machine = {"HOST": "127.0.0.1", "PORT": str(free_port()), "NODES": "1", "NODE": "0"}
    environment = ON_CPUS | machine | {"PROCESSES": "2"}
    two_cores = {"preexec_fn": lambda: os.sched_setaffinity(0, CORES[:2])}
    return project.run(str(LAUNCH / "torchrun.sh"), *CELL, environment=environment, **two_cores)


@pytest.fixture(scope="module")
def stopped(prepared, uninterrupted):
    """What torchrun.sh gave that was asked to stop."""
    shutil.rmtree(prepared.root / paths.model(KEY))
    with ThreadPoolExecutor() as pool:
        script = pool.submit(torchrun, prepared)
        wait_for_an_epoch(prepared)
        for process in psutil.process_iter(["cmdline", "cwd"]):
            command = process.info["cmdline"] or []
            if command[1:2] == [str(LAUNCH / "torchrun.sh")]:
                process.send_signal(signal.SIGTERM)
    return script.result()


def test_machines_that_see_different_folders_are_told(prepared, stopped, tmp_path):
    other = prepared.copy(tmp_path)
    shutil.rmtree(other.root / paths.work(KEY))
    with ThreadPoolExecutor() as pool:
        for node in two_nodes(prepared, pool, other):
            assert node.result().returncode > 0
            assert "all machines must see the same project folder" in node.result().stderr


def test_a_stopped_training_says_so_and_the_stage_takes_over_what_the_next_start_ends(
    prepared, stopped, uninterrupted
):
    assert stopped.returncode == 75, stopped.stderr
    assert "stopped as asked" in stopped.stderr
    second = torchrun(prepared)
    assert second.returncode == 0, second.stderr
    assert not (prepared.root / paths.model(KEY)).exists()
    assert prepared.run("python", "-m", "pipeline.train", *CELL).returncode == 0
    network, history, facts = results(prepared)
    assert (network, history) == uninterrupted[:2]
    assert (facts["processes"], facts["resumed"]) == (2, 1)
