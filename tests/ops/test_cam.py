"""The identity's own map, and eq. 5 in its short form against the literal one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.ops.cam import attention_loss, class_maps, target_map
from tests import reference


def test_one_channel_equals_that_channel_of_the_whole_convolution():
    x = torch.rand(5, 7, 4, 3, dtype=torch.float64)
    weight = torch.randn(11, 7, dtype=torch.float64)
    labels = torch.tensor([3, 0, 10, 3, 7])
    whole = reference.full_class_maps(x.numpy(), weight.numpy())
    expected = whole[np.arange(5), labels.numpy()][:, None]
    np.testing.assert_allclose(target_map(x, weight[labels]).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(class_maps(x, weight).numpy(), whole, atol=1e-12)


def test_pooling_after_the_convolution_equals_the_convolution_after_pooling():
    x = torch.rand(3, 6, 5, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(9, 6, dtype=torch.float64, requires_grad=True)
    before = class_maps(x, weight).mean((2, 3))
    after = x.mean((2, 3)) @ weight.T
    torch.testing.assert_close(before, after)
    probe = torch.randn(3, 9, dtype=torch.float64)
    one = torch.autograd.grad((before * probe).sum(), (x, weight))
    other = torch.autograd.grad((after * probe).sum(), (x, weight))
    torch.testing.assert_close(one, other)


@given(
    st.integers(1, 4), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(0, 999)
)
@settings(max_examples=40, deadline=None)
def test_short_form_of_the_loss_equals_the_literal_one(batch, height, width, factor, seed):
    generator = torch.Generator().manual_seed(seed)
    cam = torch.randn(batch, 1, height, width, generator=generator, dtype=torch.float64)
    spatial = torch.rand(batch, 1, height, width, generator=generator, dtype=torch.float64)
    size = (height * factor + 1, width * factor)
    expected = reference.attention_loss(cam.numpy(), spatial.numpy(), size)
    assert attention_loss(cam, spatial, size).item() == pytest.approx(expected, abs=1e-10)


def test_short_form_at_the_papers_size_against_torch():
    cam = torch.randn(4, 1, 24, 8, dtype=torch.float64, requires_grad=True)
    spatial = torch.rand(4, 1, 24, 8, dtype=torch.float64, requires_grad=True)
    low, high = cam.amin((2, 3), keepdim=True), cam.amax((2, 3), keepdim=True)
    maps = ((cam - low) / (high - low), spatial)
    full = [F.interpolate(m, size=(384, 128), mode="bilinear", align_corners=False) for m in maps]
    literal = (full[0] - full[1]).square().mean()
    short = attention_loss(cam, spatial, (384, 128))
    torch.testing.assert_close(short, literal)
    torch.testing.assert_close(
        torch.autograd.grad(short, (cam, spatial)), torch.autograd.grad(literal, (cam, spatial))
    )


def test_images_with_a_constant_cam_are_left_out_of_the_mean():
    cam, spatial = torch.rand(3, 1, 4, 3), torch.rand(3, 1, 4, 3)
    cam[1] = 0.25
    kept = attention_loss(cam[[0, 2]], spatial[[0, 2]], (8, 6))
    torch.testing.assert_close(attention_loss(cam, spatial, (8, 6)), kept)
    assert attention_loss(torch.ones(2, 1, 4, 3), spatial[:2], (8, 6)) == 0


def test_a_raw_cam_is_compared_as_it_is():
    cam, spatial = torch.full((1, 1, 2, 2), 3.0), torch.zeros(1, 1, 2, 2)
    cam[0, 0, 0, 0] = 3.0001  # not constant, so it counts
    loss = attention_loss(cam, spatial, (4, 4), normalised=False)
    assert loss.item() == pytest.approx(9, abs=1e-2)
