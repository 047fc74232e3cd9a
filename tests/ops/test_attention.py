"""Eqs. 1-4 and the six forms against slow NumPy, and the properties they must have."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.forms import Form
from capnet.ops.attention import (
    attend,
    channel_attention,
    gaussian_of_angle,
    normalise,
    spatial_attention,
)
from tests import reference

FORMS = get_args(Form)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4))


def feature_map(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Random features after a ReLU, some channels all zero."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).clamp(min=0)
    return x * (torch.rand(shape[:2], generator=generator) > 0.2)[..., None, None]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("sigma", [math.pi, 0.7])
@given(shapes, st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_every_form_agrees_with_the_reference(form, residual, sigma, shape, seed):
    x = feature_map(shape, seed)
    ours = attend(x, form, sigma=sigma, residual=residual)
    features, spatial, channel = reference.attend(x.numpy(), form, sigma, residual)
    np.testing.assert_allclose(ours.features.numpy(), features, atol=1e-9)
    if form != "baseline":
        np.testing.assert_allclose(ours.spatial.numpy(), spatial, atol=1e-9)
    assert (ours.channel is None) == (channel is None)
    if channel is not None:
        np.testing.assert_allclose(ours.channel.numpy(), channel, atol=1e-7)


def test_baseline_leaves_features_alone_and_still_tells_where_it_looks():
    x = feature_map((2, 5, 4, 3), 0)
    attended = attend(x, "baseline")
    assert attended.features is x
    np.testing.assert_allclose(attended.spatial.numpy(), reference.spatial_attention(x.numpy()))


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="s_plus_c"):
        attend(torch.rand(1, 2, 2, 2), "s_plus_c")  # type: ignore[arg-type]


@given(shapes, st.integers(0, 10_000), st.floats(0.01, 100))
@settings(max_examples=50, deadline=None)
def test_spatial_attention_ignores_scale_and_the_order_of_channels(shape, seed, scale):
    x = feature_map(shape, seed)
    a = spatial_attention(x)
    torch.testing.assert_close(spatial_attention(x * scale), a)
    torch.testing.assert_close(spatial_attention(x.flip(1)), a)


def test_one_image_does_not_depend_on_its_batch():
    x = feature_map((4, 6, 5, 3), 1)
    for form in FORMS:
        alone = attend(x[2:3], form)
        together = attend(x, form)
        torch.testing.assert_close(alone.features, together.features[2:3])


def test_normalise_touches_both_ends_and_survives_constant_maps():
    maps = torch.stack([torch.rand(7, 3), torch.full((7, 3), 5.0), torch.zeros(7, 3)])
    stretched = normalise(maps)
    assert stretched[0].min() == 0
    assert stretched[0].max() == 1
    assert (stretched[1:] == 1).all()


@pytest.mark.parametrize("form", [form for form in FORMS if form != "baseline"])
def test_gradients_of_every_form(form):
    # Away from ties of the maximum and from zeros, where the paper's formula has kinks.
    x = torch.rand(2, 4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert torch.autograd.gradcheck(lambda t: attend(t, form).features, (x + 0.1).requires_grad_())


def test_a_zero_channel_and_a_zero_image_have_finite_gradients():
    x = feature_map((3, 5, 4, 3), 2)
    x[0] = 0
    x[1, 2] = 0
    for form in FORMS:
        leaf = x.clone().requires_grad_()
        attended = attend(leaf, form)
        (attended.features.square().sum() + attended.spatial.square().sum()).backward()
        assert torch.isfinite(attended.features).all()
        assert torch.isfinite(leaf.grad).all()


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_attention_stays_float32_under_autocast(dtype):
    x = torch.rand(2, 16, 6, 3).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        attended = attend(x, "s_times_c")
    assert attended.features.dtype == torch.float32
    torch.testing.assert_close(attended.features, attend(x.float(), "s_times_c").features)
    # More distinct weights than bfloat16 has between exp(-1/8) and 1 (N4).
    assert attended.channel.unique().numel() > 31 * 0.9
