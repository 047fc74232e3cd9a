"""Eqs. 1-4: the properties they must have."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.ops.attention_maps import (
    channel_attention,
    gaussian_of_angle,
    normalise,
    spatial_attention,
)
from tests.ops.maps import feature_map, shapes


@given(shapes, st.integers(0, 10_000), st.floats(0.01, 100))
@settings(max_examples=50, deadline=None)
def test_spatial_attention_ignores_scale_and_the_order_of_channels(shape, seed, scale):
    x = feature_map(shape, seed)
    a = spatial_attention(x)
    torch.testing.assert_close(spatial_attention(x * scale), a)
    torch.testing.assert_close(spatial_attention(x.flip(1)), a)


def test_normalise_touches_both_ends_and_survives_constant_maps():
    maps = torch.stack([torch.rand(7, 3), torch.full((7, 3), 5.0), torch.zeros(7, 3)])
    stretched = normalise(maps)
    assert stretched[0].min() == 0
    assert stretched[0].max() == 1
    assert (stretched[1:] == 1).all()


def test_a_zero_channel_has_cosine_zero():
    x = torch.rand(1, 3, 4, 4)
    x[:, 1] = 0
    weight = channel_attention(x, spatial_attention(x))
    assert weight[0, 1, 0, 0] == pytest.approx(math.exp(-1 / 8))


def test_channel_weights_of_non_negative_features_span_what_the_paper_allows():
    weight = channel_attention(feature_map((8, 64, 6, 3), 5), torch.rand(8, 1, 6, 3).double())
    assert weight.min() >= math.exp(-1 / 8) - 1e-12
    assert weight.max() <= 1


def test_parallel_float32_vectors_have_weight_one_and_a_finite_gradient():
    # N1: rounding puts many of these cosines above 1, where acos is not a number.
    a = torch.rand(64, 1, 24, 8)
    x = (a * torch.rand(64, 32, 1, 1)).requires_grad_()
    weight = channel_attention(x, a)
    weight.sum().backward()
    torch.testing.assert_close(weight, torch.ones_like(weight), atol=1e-4, rtol=0)
    assert torch.isfinite(x.grad).all()


def test_derivative_of_the_gaussian_of_the_angle_including_its_ends():
    # An independent formula by high-precision differences inside, the limit (N2) at the ends.
    cosine = torch.tensor([0.0, 0.3, 0.9, 0.999], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: gaussian_of_angle(c, math.pi), (cosine,))
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
    gaussian_of_angle(ends, math.pi).sum().backward()
    at_zero = math.exp(-1 / 8) * (math.pi / 2) / math.pi**2  # t / (sigma^2 sin t), t = pi / 2
    np.testing.assert_allclose(ends.grad, [at_zero, 1 / math.pi**2], rtol=1e-12)
    assert ends.grad.min() >= 0.1013 - 1e-4
    assert ends.grad.max() <= 0.1405 + 1e-4


def test_signed_features_reach_the_angle_pi_without_a_pole_in_the_gradient():
    cosine = torch.tensor([-1.0], requires_grad=True)
    value = gaussian_of_angle(cosine, math.pi)
    value.backward()
    assert value.item() == pytest.approx(math.exp(-1 / 2))
    assert torch.isfinite(cosine.grad).all()


def test_channels_that_share_the_maximum_share_its_gradient_as_in_torch():
    x = torch.randint(0, 3, (2, 6, 4, 3)).double().requires_grad_()
    probe = torch.rand(2, 1, 4, 3, dtype=torch.float64)
    plain = normalise(normalise(x.mean(1, keepdim=True)) + normalise(x.amax(1, keepdim=True)))
    expected = torch.autograd.grad((plain * probe).sum(), x)
    ours = torch.autograd.grad((spatial_attention(x) * probe).sum(), x)
    torch.testing.assert_close(ours, expected)


def test_gradients_of_the_channel_weights_reach_both_maps():
    x = torch.rand(2, 4, 3, 2, dtype=torch.float64).requires_grad_()
    a = torch.rand(2, 1, 3, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(channel_attention, (x, a))
