"""Tiny trainings in this process, and what they come to."""

import csv

import torch

from capnet.engine import checkpoint
from capnet.engine.train import train
from capnet.engine.work import WorkFolder
from tests.engine.tiny import run_of

SOURCES = {"manifest_sha256": "m", "code_sha256": "c"}
EPOCHS = 3


def run_training(people, folder, seed=1, **changes):
    """Train into `folder`, keeping the network of every epoch."""
    records, root = people
    run = run_of(seed=seed, train={"epochs": EPOCHS, "keep_every": 1} | changes)
    folder.mkdir(exist_ok=True)
    train(run, [r for r in records if r.split == "train"], root, WorkFolder(folder, run, SOURCES))


def weights(path):
    return checkpoint.load(path)["network"]


def history(folder):
    with (folder / "history.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def same_result(folder, whole):
    """Whether a training reached what the uninterrupted one did, bit by bit."""
    state, expected = (checkpoint.load(path / "state.pt") for path in (folder, whole))
    for moments in ("exp_avg", "exp_avg_sq"):
        for number, ours in state["optimizer"]["state"].items():
            assert torch.equal(ours[moments], expected["optimizer"]["state"][number][moments])
    assert (folder / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    return equal(weights(folder / "model.pt"), weights(whole / "model.pt"))
