"""Identity and triplet losses against slow NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.ops.losses import identity_loss, triplet_loss
from tests import reference


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_identity_loss(smoothing):
    logits = torch.randn(6, 5, dtype=torch.float64) * 3
    labels = torch.tensor([0, 4, 2, 2, 1, 3])
    expected = reference.identity_loss(logits.numpy(), labels.numpy(), smoothing)
    ours = identity_loss(logits, labels, label_smoothing=smoothing).item()
    assert ours == pytest.approx(expected, abs=1e-12)


@given(st.integers(2, 4), st.integers(1, 4), st.floats(0, 2), st.integers(0, 9999))
@settings(max_examples=60, deadline=None)
def test_triplet_loss(people, images, margin, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(people * images, 3, generator=generator, dtype=torch.float64)
    labels = torch.arange(people).repeat_interleave(images)
    expected = reference.triplet_loss(features.numpy(), labels.numpy(), margin)
    ours = triplet_loss(features, labels, margin=margin).item()
    assert ours == pytest.approx(expected, abs=1e-9)


def test_equal_images_have_finite_gradients():
    features = torch.ones(4, 3, requires_grad=True)
    triplet_loss(features, torch.tensor([0, 0, 1, 1])).backward()
    assert np.isfinite(features.grad.numpy()).all()
