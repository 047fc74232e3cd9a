"""The number of processes is not a hyper-parameter (A27)."""

import csv
import json

import pytest
import torch

from capnet.engine import checkpoint
from tests.engine import processes
from tests.engine.processes import STEPS, WORLDS, collective_inputs, collective_loss

pytestmark = pytest.mark.distributed
SEVERAL = [world for world in WORLDS if world > 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def found(folder, people):
    """What the work came to, by the number of processes."""
    return processes.outcomes(folder, *people)


@pytest.mark.parametrize("world", WORLDS)
def test_sums_and_concatenations_carry_gradients(found, world):
    batch, weight = (value.requires_grad_() for value in collective_inputs())
    local = (batch * weight).tanh()
    loss = collective_loss(local.sum(0), local)
    loss.backward()
    ours = found[world]["collective"]
    torch.testing.assert_close(ours["loss"], loss.detach())
    torch.testing.assert_close(ours["batch"], batch.grad)
    torch.testing.assert_close(ours["weight"], weight.grad)
    assert ours["integers"].tolist() == list(range(8))


@pytest.mark.parametrize("world", SEVERAL)
@pytest.mark.parametrize("name", STEPS)
def test_a_step_has_the_losses_gradients_and_statistics_of_one_process(found, name, world):
    ours, alone = found[world]["steps"][name], found[1]["steps"][name]
    assert ours["losses"].tolist() == pytest.approx([alone["terms"]["loss"].item()] * world)
    for part in ("terms", "gradients", "statistics"):
        assert ours[part].keys() == alone[part].keys()
        for key, expected in alone[part].items():
            torch.testing.assert_close(
                ours[part][key],
                expected,
                rtol=1e-9,
                atol=1e-11 * float(expected.abs().max()),
                msg=lambda text, key=key: f"{key}: {text}",
            )


def test_no_gradient_is_absent(found):
    for step in found[1]["steps"].values():
        assert all(value.abs().sum() > 0 for value in step["gradients"].values())


@pytest.mark.parametrize("world", SEVERAL)
def test_a_training_has_the_history_of_one_process(found, folder, world):
    ours, alone = (_history(folder / f"work{number}") for number in (world, 1))
    assert len(ours) == len(alone) == 4
    for row, expected in zip(ours, alone, strict=True):
        assert row.pop("learning_rate") == expected.pop("learning_rate")
        assert row == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("world", SEVERAL)
def test_a_training_has_the_weights_of_one_process(found, folder, world):
    ours, alone = (checkpoint.load(folder / f"work{n}" / "model.pt")["network"] for n in (world, 1))
    assert ours.keys() == alone.keys()
    for name, expected in alone.items():
        atol = 1e-9 * float(expected.abs().max())
        torch.testing.assert_close(ours[name], expected, rtol=1e-9, atol=atol)


def _history(work):
    with (work / "history.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_all_processes_stop_at_one_batch_when_one_is_asked_to(found, folder):
    # That the training then went on as if nothing had been, the tests above show.
    first, second = found[2]["stopped"]
    assert first == second
    assert "stopped as asked" in first
    report = json.loads((folder / "work2" / "training.json").read_text())
    assert report["resumed"] == 1


def test_processes_that_cannot_share_a_batch_are_told(found):
    assert "train.ids_per_batch is 2, which 4 processes cannot share evenly" in found[4]["refused"]
