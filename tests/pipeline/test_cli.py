"""The command `capnet`."""

import sys

import pytest

from pipeline import cli


def test_every_command_is_in_the_help(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["capnet"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 0
    text = capsys.readouterr().err
    assert all(f"capnet {name}" in text for name in cli.COMMANDS)


def test_an_unknown_command_is_named(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["capnet", "cure"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert "no command 'cure'" in capsys.readouterr().err


@pytest.mark.slow
def test_doctor_ends_with_what_the_grid_lacks(project):
    project.params(lambda content: content["grid"].update(datasets=["dukemtmc"]))
    run = project.run("python", "-m", "pipeline.doctor")
    assert run.returncode == 1
    assert "BAD   data set dukemtmc" in run.stdout
    assert run.stderr.rstrip().endswith("1 of these keep the grid of params.yaml from running")


@pytest.mark.slow
def test_changes_compares_what_evaluation_left(built):
    told = built.done("capnet", "changes", "synthetic-baseline-1", "synthetic-s_times_c-1")
    assert told.startswith("synthetic-baseline-1 -> synthetic-s_times_c-1: ")
