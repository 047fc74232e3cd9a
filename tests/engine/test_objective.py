"""The sum of the losses against the oracles (eq. 6)."""

import numpy as np
import pytest
import torch

from capnet.engine.train import objective
from capnet.models.network import Output
from tests import reference
from tests.engine.tiny import run_of


@pytest.mark.parametrize(
    "changes",
    [
        {"attention_weight": 0.5, "triplet_margin": 0.1},
        {"attention_weight": 0.0, "label_smoothing": 0.1},
    ],
)
def test_the_objective_is_eq_6(changes):
    rng = np.random.default_rng(3)
    logits, features = rng.standard_normal((6, 3)), rng.standard_normal((6, 5))
    cam, spatial = rng.standard_normal((6, 1, 4, 2)), rng.random((6, 1, 4, 2))
    cam[4] = 1.0  # A28
    labels = [0, 0, 1, 1, 2, 2]
    output = Output(*map(torch.from_numpy, (features, logits, cam, spatial)))
    run = run_of(train=changes)
    terms = objective(output, torch.tensor(labels), run)
    identity = reference.identity_loss(logits, labels, run.train.label_smoothing)
    triplet = reference.triplet_loss(features, labels, run.train.triplet_margin)
    attention = reference.attention_loss(cam, spatial, (64, 32))
    assert terms["identity_loss"].item() == pytest.approx(identity)
    assert terms["triplet_loss"].item() == pytest.approx(triplet)
    assert terms["attention_loss"].item() == pytest.approx(attention)
    whole = identity + triplet + run.train.attention_weight * attention
    assert terms["loss"].item() == pytest.approx(whole)
    assert terms["cam_kept"].item() == pytest.approx(5 / 6)
    assert terms["accuracy"].item() == pytest.approx((logits.argmax(1) == labels).mean())


def test_a_raw_cam_is_compared_as_it_is():
    spatial, cam = torch.rand(2, 1, 4, 2), torch.rand(2, 1, 4, 2) + 2
    output = Output(torch.rand(2, 3), torch.rand(2, 2), cam, spatial)
    run = run_of(attention={"cam_range": "raw"})
    loss = objective(output, torch.tensor([0, 1]), run)["attention_loss"]
    full = (reference.bilinear_upsample(m[:, 0], (64, 32)) for m in (cam, spatial))
    assert loss.item() == pytest.approx(np.square(next(full) - next(full)).mean(), rel=1e-4)
