"""The launch files say all that a launcher would guess, and end as they promise."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from accelerate.commands import launch
from ruamel.yaml import YAML

FOLDER = Path(__file__).resolve().parents[1] / "launch"
CONFIGS = {path.name: path for path in sorted(FOLDER.glob("*.yaml"))}
WRITTEN = {"distributed_type", "use_cpu", "num_machines", "num_processes", "mixed_precision"}
SRUN = """#!/bin/bash
echo "$HOST $NODES $SRUN_CPUS_PER_TASK $*" > asked
exit "$CODE"
"""
SCONTROL = """#!/bin/bash
[ "$1" = show ] && printf 'first\\nsecond\\n' || echo "$*" > requeued
"""
TORCHRUN = """#!/bin/bash
trap 'sleep 0.2; exit 1' TERM
echo "$*" > asked
[ "$CODE" ] && exit "$CODE"
while true; do sleep 0.01; done
"""
CELL = ("market1501", "s_times_c", "1")


def validated(config, *arguments):
    """What accelerate makes of a launch file, and of arguments beside it."""
    parser = launch.launch_command_parser()
    command = ["--config_file", str(config), *arguments, "-m", "pipeline.train", *CELL]
    return launch._validate_launch_command(parser.parse_args(command))[0]


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program of a cluster on the PATH; the test then runs in an empty folder."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    Path("bin").mkdir()

    def add(name, script):
        Path("bin", name).write_text(script)
        Path("bin", name).chmod(0o755)

    return add


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_nothing_is_left_to_guess(config, monkeypatch):
    monkeypatch.setattr(launch.logger, "warning", pytest.fail)
    content = YAML(typ="safe").load(config)
    assert content.keys() >= WRITTEN
    assert content["dynamo_config"] == {"dynamo_backend": "no"}
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert validated(config).mixed_precision == "no"


@pytest.mark.parametrize(
    ("name", "cpu", "processes", "machines", "several"),
    [
        ("cpu.yaml", True, 1, 1, False),
        ("gpu.yaml", False, 1, 1, False),
        ("gpus.yaml", False, 4, 1, True),
        ("nodes.yaml", False, 4, 2, True),
    ],
)
def test_each_file_starts_what_its_name_says(name, cpu, processes, machines, several):
    found = validated(CONFIGS[name])
    assert (found.use_cpu, found.num_processes, found.num_machines) == (cpu, processes, machines)
    assert bool(found.multi_gpu) is several


def test_the_machines_of_one_training_differ_by_their_number_alone():
    given = ("--main_process_ip", "first", "--machine_rank", "1")
    found = validated(CONFIGS["nodes.yaml"], *given)
    launch.prepare_multi_gpu_env(found)
    assert (found.nnodes, found.nproc_per_node, found.node_rank) == ("2", "2", 1)
    assert found.rdzv_endpoint == "first:29400"
    assert found.rdzv_backend == "static"


@pytest.mark.parametrize("name", ["torchrun.sh", "slurm.sbatch"])
def test_the_scripts_are_bash(name):
    assert subprocess.run(["bash", "-n", FOLDER / name], check=False).returncode == 0
    assert os.access(FOLDER / name, os.X_OK)


def test_a_preempted_job_is_warned_and_may_be_queued_again():
    directives = re.findall("^#SBATCH --(.+)$", (FOLDER / "slurm.sbatch").read_text(), re.MULTILINE)
    found = dict(directive.partition("=")[::2] for directive in directives)
    assert found["signal"] == "TERM@120"
    assert found["ntasks-per-node"] == "1"
    assert {"requeue", "nodes", "gpus-per-node", "time"} <= found.keys()
    assert found["open-mode"] == "append"


@pytest.mark.parametrize("code", [0, 1, 75])
def test_a_job_is_queued_again_after_it_was_stopped_and_not_after_an_error(
    program, monkeypatch, code
):
    program("srun", SRUN)
    program("scontrol", SCONTROL)
    for name, value in {"JOB_ID": "7", "JOB_NODELIST": "x", "NNODES": "2"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "16")
    monkeypatch.setenv("CODE", str(code))
    assert subprocess.run([FOLDER / "slurm.sbatch", *CELL], check=False).returncode == code
    assert Path("asked").read_text().split() == [
        *("first", "2", "16", "--wait=60", "launch/torchrun.sh", *CELL)
    ]
    assert Path("requeued").exists() == (code == 75)


@pytest.mark.parametrize("code", [0, 1])
def test_torchrun_ends_with_the_code_of_the_training(program, monkeypatch, code):
    program("torchrun", TORCHRUN)
    environment = {"HOST": "first", "NODES": "2", "SLURM_NODEID": "1", "CODE": str(code)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ends = [subprocess.run([FOLDER / "torchrun.sh", *CELL], check=False) for _ in range(20)]
    assert {end.returncode for end in ends} == {code}  # also where it ends before it is waited for
    asked = Path("asked").read_text()
    assert "--nnodes 2 --node-rank 1 " in asked
    assert "--nproc-per-node gpu --master-addr first --master-port 29400 " in asked
    assert asked.endswith("-m pipeline.train market1501 s_times_c 1\n")


def test_torchrun_that_is_stopped_waits_for_the_training_and_says_so(program, monkeypatch):
    program("torchrun", TORCHRUN)
    for name, value in {"HOST": "first", "NODES": "2", "NODE": "0", "CODE": ""}.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen([FOLDER / "torchrun.sh", *CELL]) as script:
        while not Path("asked").exists():
            time.sleep(0.01)
        script.send_signal(signal.SIGTERM)
        assert script.wait(10) == 75
