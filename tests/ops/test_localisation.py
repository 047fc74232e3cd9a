"""Fig. 2's scores against slow NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.ops.localisation import (
    energy_in_mask,
    peak_in_mask,
    pixel_average_precision,
    upsampled,
)
from tests import reference


@given(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(0, 9999))
@settings(max_examples=60, deadline=None)
def test_scores_agree_with_the_reference(count, height, width, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(1, 6, (count, height, width)) / 5  # many ties
    masks = rng.random((count, height, width)) < 0.5
    masks[0, 0, 0] = True
    s, m = torch.from_numpy(scores), torch.from_numpy(masks)
    expected = reference.pixel_average_precision(scores, masks)
    assert pixel_average_precision(s, m) == pytest.approx(expected)
    for i in range(count):
        assert energy_in_mask(s, m)[i].item() == pytest.approx(
            reference.energy_pointing(scores[i], masks[i])
        )
        assert bool(peak_in_mask(s, m)[i]) == bool(reference.pointing_game(scores[i], masks[i], 0))


def test_chance_is_the_share_of_the_person():
    masks = torch.rand(2, 30, 20, generator=torch.Generator().manual_seed(0)) < 0.3
    flat = torch.ones(2, 30, 20)
    assert pixel_average_precision(flat, masks) == pytest.approx(masks.float().mean().item())
    assert energy_in_mask(flat, masks).mean().item() == pytest.approx(masks.float().mean().item())


def test_upsampling():
    maps = torch.rand(2, 3, 2, dtype=torch.float64)
    expected = reference.bilinear_upsample(maps.numpy(), (9, 4))
    np.testing.assert_allclose(upsampled(maps, (9, 4)).numpy(), expected, atol=1e-12)
