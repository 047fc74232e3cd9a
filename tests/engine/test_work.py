"""What a training leaves behind after every epoch and at its end."""

import csv
import errno
import json
import math
import os

import pytest
import torch
from torch import nn

from capnet.engine import checkpoint
from capnet.engine.checkpoint import CheckpointError
from capnet.engine.ledger import NotFiniteError
from capnet.engine.work import Progress, TrainingError, WorkFolder
from tests.engine.tiny import run_of

SOURCES = {"manifest_sha256": "m" * 64, "code_sha256": "c" * 64}
ROW = {"epoch": 1, "learning_rate": 1e-4, "loss": 2.5, "identity_loss": 1.5, "triplet_loss": 1.0}
ROW |= {"attention_loss": 0.1, "accuracy": 0.25, "cam_kept": 1.0}


@pytest.fixture
def trained():
    """A network and an optimiser that have taken one step."""
    network = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return network, optimizer


def work(path, **options):
    return WorkFolder(path, run_of(**options), SOURCES)


def progress(epochs):
    result = Progress()
    for epoch in range(1, epochs + 1):
        result.spend(images=32, seconds=2.0)
        result.close(ROW | {"epoch": epoch, "loss": 2.5 / epoch})
    return result


def test_a_fresh_folder_has_no_progress(tmp_path, trained):
    assert work(tmp_path).resume(*trained, None) == Progress()


def test_network_optimiser_and_progress_come_back(tmp_path, trained):
    reached = progress(2)
    work(tmp_path).save(reached, *trained, None)
    network = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters())
    resumed = work(tmp_path).resume(network, optimizer, None)
    for name, value in trained[0].state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    ours, theirs = (o.state_dict()["state"] for o in (optimizer, trained[1]))
    assert torch.equal(ours[0]["exp_avg"], theirs[0]["exp_avg"])
    assert torch.equal(ours[0]["exp_avg_sq"], theirs[0]["exp_avg_sq"])
    assert (resumed.history, resumed.started) == (reached.history, reached.started)
    assert (resumed.seconds, resumed.images, resumed.resumed) == (4.0, 64, 1)


def test_a_scaler_comes_back(tmp_path, trained):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    work(tmp_path).save(progress(1), *trained, scaler)
    other = torch.amp.GradScaler("cpu")
    work(tmp_path).resume(*trained, other)
    assert other.get_scale() == 1024


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"train": {"flip": 0.25}}, "settings.train.flip: 0.5 in the checkpoint, 0.25 now"),
        ({"attention": {"sigma": 1.0}}, "settings.model.attention.sigma: 3.14"),
        ({"form": "s"}, "settings.form: s_times_c in the checkpoint, s now"),
        ({"seed": 2}, "settings.seed: 1 in the checkpoint, 2 now"),
    ],
)
def test_a_state_of_other_settings_is_refused(tmp_path, trained, change, line):
    work(tmp_path).save(progress(1), *trained, None)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=line):
        work(tmp_path, **change).resume(*trained, None)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_history_is_a_table_of_epochs(tmp_path, trained):
    work(tmp_path).save(progress(3), *trained, None)
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3]
    assert [float(row["loss"]) for row in rows] == [2.5, 1.25, 2.5 / 3]  # every digit
    assert rows[0].keys() == ROW.keys()


def test_networks_are_kept_as_often_as_asked(tmp_path, trained):
    folder = work(tmp_path, train={"keep_every": 2})
    for epoch in range(1, 6):
        folder.save(progress(epoch), *trained, None)
    kept = sorted(tmp_path.glob("epoch_*.pt"))
    assert [file.name for file in kept] == ["epoch_002.pt", "epoch_004.pt"]
    assert [checkpoint.load(file)["epoch"] for file in kept] == [2, 4]


def test_a_batch_that_is_not_finite_is_saved_for_inspection(tmp_path):
    row = {"identity_loss": 1.5, "triplet_loss": math.nan, "loss": math.inf}
    fault = NotFiniteError(16, row)
    error = work(tmp_path).not_finite(fault, 1, 1e-3, [("a.jpg", 7), ("b.jpg", 8)])
    assert isinstance(error, TrainingError)
    assert str(error).startswith("epoch 2, batch 17: triplet_loss, loss is not finite; lower")
    assert str(tmp_path / "not_finite.json") in str(error)
    assert json.loads((tmp_path / "not_finite.json").read_text()) == {
        "epoch": 2,
        "batch": 17,
        "learning_rate": 1e-3,
        "terms": {"identity_loss": 1.5, "triplet_loss": "nan", "loss": "inf"},
        "images": [{"path": "a.jpg", "seed": 7}, {"path": "b.jpg", "seed": 8}],
    }


def test_a_state_within_an_epoch_keeps_its_batches_and_no_network(tmp_path, trained):
    folder = work(tmp_path, train={"keep_every": 1})
    reached = progress(1)
    folder.save(reached, *trained, None)
    reached.batches = [{"loss": 1.25}, {"loss": 0.5}]
    folder.save(reached, *trained, None)
    assert [file.name for file in tmp_path.glob("epoch_*.pt")] == ["epoch_001.pt"]
    resumed = folder.resume(*trained, None)
    assert (len(resumed.history), resumed.batches) == (1, [{"loss": 1.25}, {"loss": 0.5}])
    assert resumed.place == "epoch 2, batch 2"
    assert "epoch 2, batch 2" in resumed.line(10)
    with (tmp_path / "history.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 1


def test_a_state_within_the_first_epoch_has_no_history_yet(tmp_path, trained):
    reached = progress(0)
    reached.batches = [{"loss": 1.25}]
    work(tmp_path).save(reached, *trained, None)
    assert not (tmp_path / "history.csv").exists()
    assert work(tmp_path).resume(*trained, None).batches == [{"loss": 1.25}]


def test_a_state_of_other_code_is_refused_with_the_modules_that_differ(tmp_path, trained):
    modules = {"capnet/a.py": "1", "capnet/b.py": "1", "capnet/c.py": "1"}
    folder = WorkFolder(tmp_path, run_of(), SOURCES, modules)
    folder.save(progress(1), *trained, None)
    other = modules | {"capnet/b.py": "2"}
    sources = SOURCES | {"code_sha256": "d" * 64}
    with pytest.raises(CheckpointError) as error:
        WorkFolder(tmp_path, run_of(), sources, other).resume(*trained, None)
    assert "capnet/b.py: 1 in the checkpoint, 2 now" in str(error.value)
    assert "capnet/a.py" not in str(error.value)


def test_a_full_disk_leaves_the_epoch_before(tmp_path, trained, monkeypatch):
    folder = work(tmp_path)
    folder.save(progress(1), *trained, None)
    before = sorted(file.name for file in tmp_path.iterdir())

    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left on device"):
        folder.save(progress(2), *trained, None)
    assert sorted(file.name for file in tmp_path.iterdir()) == before
    assert len(folder.resume(*trained, None).history) == 1


def test_a_line_tells_a_person_how_it_goes():
    line = progress(2).line(10)
    for part in ("epoch  2/10", "loss 1.250", "accuracy 25.0%", "16 images/s", "0:16 left"):
        assert part in line
    rest = Progress(history=[ROW], seconds=59.9, images=32).line(2)
    assert rest.endswith("1:00 left")


def test_an_unfinished_training_says_so(tmp_path):
    work(tmp_path).describe(progress(1), torch.device("cpu"), processes=2)
    report = json.loads((tmp_path / "training.json").read_text())
    assert (report["finished"], report["seconds"], report["processes"]) == (None, 2.0, 2)


def test_the_end_writes_the_network_and_what_was_run(tmp_path, trained):
    folder = work(tmp_path, seed=7)
    folder.finish(progress(2), trained[0], torch.device("cpu"), processes=1, parameters=8)
    model = checkpoint.load(tmp_path / "model.pt")
    assert torch.equal(model["network"]["weight"], trained[0].weight)
    assert (model["epoch"], model["identity"]) == (2, folder.identity)
    report = json.loads((tmp_path / "training.json").read_text())
    cell = {"dataset": "tiny", "variant": "s_times_c", "seed": 7, "form": "s_times_c"}
    assert cell.items() <= report.items()
    assert report["settings"].keys() == {"model", "train"}
    assert report["settings"]["train"]["images_per_id"] == 2
    assert SOURCES.items() <= report.items()
    assert report["fingerprint"] == checkpoint.fingerprint(folder.identity)
    assert (report["seconds"], report["images_per_second"]) == (4.0, 16.0)
    assert (report["processes"], report["parameters"], report["resumed"]) == (1, 8, 0)
    assert {"python", "torch", "torchvision", "accelerate", "capnet"} <= report["versions"].keys()
    assert report["git"].keys() == {"commit", "dirty"}
    assert report["started"] <= report["finished"]
    assert report["device"].startswith("CPU")
    assert report["precision"] == "fp32"
