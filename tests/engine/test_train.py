"""Training learns, repeats itself bit by bit, and goes on after any end (R20-R24, eq. 6)."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState

from capnet.engine import checkpoint
from capnet.engine.checkpoint import CheckpointError
from capnet.engine.work import TrainingError, WorkFolder
from capnet.errors import UserError
from tests import reference
from tests.engine.trainings import EPOCHS, equal, history, run_training, same_result, weights

COLUMNS = {"epoch", "learning_rate", "loss", "identity_loss", "triplet_loss", "attention_loss"}
COLUMNS |= {"accuracy", "cam_kept"}
# Dies while state.pt of the second epoch is being written.
KILLED = """
import os, signal, sys
from pathlib import Path
from capnet.engine import distributed
from tests.engine import tiny, trainings

distributed.cores_per_process = lambda: 1
root, folder = map(Path, sys.argv[1:])
sync = os.fsync
def fsync(descriptor):
    if (folder / "state.pt").exists() and list(folder.glob(".state.pt.*.tmp")):
        os.kill(os.getpid(), signal.SIGKILL)
    sync(descriptor)
os.fsync = fsync
trainings.run_training((tiny.draw_people(root), root), folder)
"""


def test_the_history_has_the_contracts_columns_and_the_papers_learning_rates(whole):
    rows = history(whole)
    assert rows[0].keys() == COLUMNS
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    rates = [reference.learning_rate(e, warmup_epochs=1, milestones=[3]) for e in range(EPOCHS)]
    assert [row["learning_rate"] for row in rows] == pytest.approx(rates, rel=1e-12)
    for row in rows:
        whole_loss = row["identity_loss"] + row["triplet_loss"] + 0.01 * row["attention_loss"]
        assert row["loss"] == pytest.approx(whole_loss, rel=1e-5)
        assert 0 <= row["accuracy"] <= 1
        assert 0 < row["cam_kept"] <= 1
    assert rows[0]["identity_loss"] == pytest.approx(math.log(4), rel=0.02)  # R3, A30


def test_a_training_leaves_its_network_and_its_report(whole):
    names = {"epoch_001.pt", "epoch_002.pt", "epoch_003.pt", "model.pt", "state.pt"}
    names |= {"history.csv", "training.json"}
    assert {file.name for file in whole.iterdir()} == names
    report = json.loads((whole / "training.json").read_text())
    assert (report["identities"], report["images"], report["processes"]) == (4, 12, 1)
    assert report["parameters"] == sum(
        value.numel()
        for name, value in weights(whole / "model.pt").items()
        if name.endswith(("weight", "bias"))
    )
    assert equal(weights(whole / "model.pt"), weights(whole / "epoch_003.pt"))
    assert not equal(weights(whole / "model.pt"), weights(whole / "epoch_002.pt"))


def test_a_seed_repeats_itself_and_another_differs(whole, people, tmp_path):
    first = weights(whole / "epoch_001.pt")
    run_training(people, tmp_path / "same", epochs=1)
    assert equal(weights(tmp_path / "same" / "model.pt"), first)
    run_training(people, tmp_path / "other", seed=2, epochs=1)
    assert not equal(weights(tmp_path / "other" / "model.pt"), first)


@pytest.mark.parametrize("epoch", [1, EPOCHS])  # the latter: between the last epoch and the end
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    whole, people, tmp_path, monkeypatch, epoch
):
    def interrupt(self, progress, *arguments):
        save(self, progress, *arguments)
        if len(progress.history) == epoch:
            raise KeyboardInterrupt

    save = WorkFolder.save
    with monkeypatch.context() as patch:
        patch.setattr(WorkFolder, "save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_training(people, tmp_path)
    assert not (tmp_path / "model.pt").exists()
    run_training(people, tmp_path)
    assert same_result(tmp_path, whole)
    assert json.loads((tmp_path / "training.json").read_text())["resumed"] == 1


def test_a_training_killed_while_it_saves_goes_on_as_if_it_had_not_been(whole, people, tmp_path):
    folder = tmp_path / "work"
    command = [sys.executable, "-c", KILLED, tmp_path / "people", folder]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert checkpoint.load(folder / "state.pt")["epoch"] == 1
    assert list(folder.glob(".state.pt.*.tmp"))  # half of the second
    run_training(people, folder)
    assert same_result(folder, whole)


def test_an_overflow_is_noticed(people, tmp_path):
    with pytest.raises(TrainingError, match=r"epoch 1, batch \d: .*loss.* is not finite; lower"):
        run_training(people, tmp_path, learning_rate=1e30)
    assert not (tmp_path / "state.pt").exists()


def test_the_loss_falls_and_people_are_learnt(people, tmp_path):
    still = {"flip": 0.0, "pad": 0, "erasing": 0.0, "warmup_epochs": 0, "decay_epochs": [7]}
    run_training(people, tmp_path, epochs=7, keep_every=0, learning_rate=1e-3, **still)
    loss, accuracy = ([row[name] for row in history(tmp_path)] for name in ("loss", "accuracy"))
    assert sum(loss[-2:]) / 2 < 0.6 * loss[0]
    assert sum(accuracy[-2:]) / 2 > 0.7


def test_bf16_is_close_to_fp32(whole, people, tmp_path):
    AcceleratorState._reset_state(reset_partial_state=True)  # a process keeps its precision
    try:
        run_training(people, tmp_path, epochs=1, precision="bf16")
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
    ours, expected = (history(folder)[0] for folder in (tmp_path, whole))
    assert ours != expected
    for name in ("identity_loss", "attention_loss", "loss"):
        assert ours[name] == pytest.approx(expected[name], rel=0.1)


def test_a_folder_of_other_settings_is_left_as_it_is(whole, people):
    before = {file.name: file.stat().st_mtime_ns for file in whole.iterdir()}
    with pytest.raises(CheckpointError, match=r"settings\.train\.erasing: 0\.5 in the checkpoint"):
        run_training(people, whole, erasing=0.25)
    assert {file.name: file.stat().st_mtime_ns for file in whole.iterdir()} == before


def test_too_little_space_is_said_before_the_first_epoch(people, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("", (), {"free": 10**7}))
    with pytest.raises(CheckpointError, match=f"{tmp_path}: a training needs .* MB"):
        run_training(people, tmp_path)
    assert not list(tmp_path.iterdir())


def test_fp16_without_a_gpu_is_refused_rather_than_trained_in_float32(people, tmp_path):
    with pytest.raises(UserError, match=r"train\.precision: fp16 needs a GPU"):
        run_training(people, tmp_path, precision="fp16")
