"""Trainings that are asked to stop, run out of numbers or of memory: a clear end, nothing lost."""

import json
import math
import os
import signal

import pytest
import torch

from capnet.data.sampler import epoch_batches
from capnet.engine import checkpoint, distributed
from capnet.engine import train as training
from capnet.engine.interrupt import StoppedError
from capnet.engine.work import Progress, TrainingError
from tests.engine.tiny import run_of
from tests.engine.trainings import equal, history, run_training, same_result, weights


def on_batch(monkeypatch, number, act):
    """Call `act(terms)` on what the objective returns for the number-th batch of a training."""
    counted = iter(range(1, 1000))

    def objective(*arguments):
        terms = honest(*arguments)
        return act(terms) if next(counted) == number else terms

    honest = training.objective
    monkeypatch.setattr(training, "objective", objective)


def batches(people, epoch):
    labels = [record.label for record in people[0] if record.split == "train"]
    return epoch_batches(labels, 2, 2, 1, epoch)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_training_stops_after_a_batch_and_goes_on_bit_by_bit(
    whole, people, tmp_path, monkeypatch, number, batch
):
    def ask(terms):
        os.kill(os.getpid(), number)
        return terms

    with monkeypatch.context() as patch:
        on_batch(patch, batch, ask)
        with pytest.raises(StoppedError, match="stopped as asked; start it again to go on"):
            run_training(people, tmp_path)
    assert StoppedError.exit_code == 75
    reached = checkpoint.load(tmp_path / "state.pt")["progress"]
    done = sum(len(batches(people, e)) for e in range(len(reached["history"])))
    assert done + len(reached["batches"]) in {batch, batch + 1}
    assert not (tmp_path / "model.pt").exists()
    run_training(people, tmp_path)
    assert same_result(tmp_path, whole)
    assert json.loads((tmp_path / "training.json").read_text())["resumed"] == 1


def test_stopping_again_and_again_changes_nothing(whole, people, tmp_path, monkeypatch):
    def ask(terms):
        os.kill(os.getpid(), signal.SIGTERM)
        return terms

    stops = 0
    while not (tmp_path / "model.pt").exists():
        with monkeypatch.context() as patch:
            on_batch(patch, 1, ask)
            try:
                run_training(people, tmp_path)
            except StoppedError:
                stops += 1
    assert stops >= 3
    assert same_result(tmp_path, whole)


def test_a_loss_that_is_not_finite_names_its_batch_and_keeps_the_epoch_before(
    people, tmp_path, monkeypatch
):
    second = batches(people, 1)
    number = len(batches(people, 0)) + len(second)  # the last of the second epoch
    on_batch(monkeypatch, number, lambda terms: terms | {"triplet_loss": torch.tensor(math.nan)})
    with pytest.raises(TrainingError, match=f"epoch 2, batch {len(second)}: triplet_loss is not"):
        run_training(people, tmp_path)
    saved = json.loads((tmp_path / "not_finite.json").read_text())
    assert saved["terms"]["triplet_loss"] == "nan"
    records = [record for record in people[0] if record.split == "train"]
    expected = [{"path": records[d.index].path, "seed": d.seed} for d in second[-1]]
    assert saved["images"] == expected
    assert checkpoint.load(tmp_path / "state.pt")["epoch"] == 1
    assert not (tmp_path / "model.pt").exists()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
)
def test_running_out_of_memory_says_what_needs_less(people, tmp_path, monkeypatch, error):
    def exhaust(terms):
        raise error

    on_batch(monkeypatch, len(batches(people, 0)) + 1, exhaust)
    with pytest.raises(TrainingError, match="out of memory with batches of 4 images of 64 x 32"):
        run_training(people, tmp_path)
    assert checkpoint.load(tmp_path / "state.pt")["epoch"] == 1


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), distributed.memory_explained(run_of()):
        raise RuntimeError("shapes do not fit")


def test_processes_that_would_go_on_from_different_places_are_told(monkeypatch):
    here, there = Progress(history=[{}, {}], batches=[{}]), torch.tensor([[0, 0]])
    monkeypatch.setattr(distributed, "gathered", lambda own: torch.cat([own, there]))
    with pytest.raises(TrainingError, match=r"\[\[2, 1\], \[0, 0\]\]; all machines must see"):
        distributed.require_same_start(here, torch.device("cpu"))
    monkeypatch.setattr(distributed, "gathered", lambda own: torch.cat([own, own]))
    distributed.require_same_start(here, torch.device("cpu"))


def test_the_deterministic_mode_gives_the_cpus_own_bits(whole, people, tmp_path):
    try:
        run_training(people, tmp_path, epochs=1, deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
    finally:
        torch.use_deterministic_algorithms(False)
    assert equal(weights(tmp_path / "model.pt"), weights(whole / "epoch_001.pt"))


def test_accumulated_gradients_are_the_mean_of_those_of_their_batches(
    people, tmp_path, monkeypatch
):
    def record(optimizer, *arguments, **keywords):
        gradients.append([p.grad.clone() for p in optimizer.param_groups[0]["params"]])

    found = {}
    still = {"learning_rate": 1e-30, "epochs": 1, "flip": 0.0, "erasing": 0.0}
    for accumulate in (1, 2, 3):
        gradients = []
        with monkeypatch.context() as patch:
            patch.setattr(torch.optim.Adam, "step", record)
            run_training(people, tmp_path / str(accumulate), accumulate=accumulate, **still)
        found[accumulate] = gradients
    for accumulate in (2, 3):
        groups = [found[1][n : n + accumulate] for n in range(0, len(found[1]), accumulate)]
        assert len(found[accumulate]) == len(groups)
        for ours, group in zip(found[accumulate], groups, strict=True):
            for gradient, parts in zip(ours, zip(*group, strict=True), strict=True):
                expected = torch.stack(parts).mean(0)
                size = float(expected.abs().max())
                torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4 * size)


def test_the_learning_rate_follows_the_batch_only_where_asked(people, tmp_path):
    run_training(people, tmp_path / "one", epochs=1, accumulate=2)
    scaled = {"rate_scaling": {"from_images": 32, "power": 0.5}}
    run_training(people, tmp_path / "two", epochs=1, accumulate=2, **scaled)
    one, two = (history(tmp_path / name)[0]["learning_rate"] for name in ("one", "two"))
    assert two == pytest.approx(one * (2 * 2 * 2 / 32) ** 0.5)
