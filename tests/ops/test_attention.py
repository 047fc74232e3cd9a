"""The six forms against slow NumPy, and what a training asks of an attended map."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.forms import Form
from capnet.ops.attention import attend
from tests import reference
from tests.ops.maps import feature_map, shapes

FORMS = get_args(Form)


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


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_sums_over_the_attended_map_do_not_need_it(form, residual, layout):
    x = feature_map((3, 7, 4, 3), 4).contiguous(memory_format=layout).requires_grad_()
    weight = torch.randn(3, 7, dtype=torch.float64)
    attended = attend(x, form, residual=residual)
    whole = attended.features
    for ours, plain in (
        (attended.pooled, whole.mean((2, 3))),
        (attended.target_map(weight), (whole * weight[:, :, None, None]).sum(1, keepdim=True)),
    ):
        torch.testing.assert_close(ours, plain)
        probe = torch.randn_like(ours)
        one, other = (
            torch.autograd.grad((side * probe).sum(), x, retain_graph=True)[0]
            for side in (ours, plain)
        )
        torch.testing.assert_close(one, other)


def test_one_image_does_not_depend_on_its_batch():
    x = feature_map((4, 6, 5, 3), 1)
    for form in FORMS:
        alone = attend(x[2:3], form)
        together = attend(x, form)
        torch.testing.assert_close(alone.features, together.features[2:3])


@pytest.mark.parametrize("form", FORMS)
def test_gradients_of_every_form(form):
    # Away from ties of the maximum and from zeros, where the paper's formula has kinks.
    x = torch.rand(2, 4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    weight = torch.rand(2, 4, dtype=torch.float64)

    def all_of_it(t: torch.Tensor) -> tuple[torch.Tensor, ...]:
        attended = attend(t, form)
        cam = attended.target_map(weight)
        return attended.features, attended.pooled, cam, attended.spatial

    for layout in (torch.contiguous_format, torch.channels_last):
        leaf = (x + 0.1).contiguous(memory_format=layout).requires_grad_()
        assert torch.autograd.gradcheck(all_of_it, (leaf,))


def test_a_zero_channel_and_a_zero_image_have_finite_gradients():
    x = feature_map((3, 5, 4, 3), 2)
    x[0] = 0
    x[1, 2] = 0
    for form in FORMS:
        leaf = x.clone().requires_grad_()
        attended = attend(leaf, form)
        (attended.pooled.square().sum() + attended.spatial.square().sum()).backward()
        assert torch.isfinite(attended.pooled).all()
        assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_attention_stays_float32_under_autocast(dtype):
    x = torch.rand(2, 16, 6, 3).to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        attended = attend(x, "s_times_c")
    assert attended.features.dtype == torch.float32
    torch.testing.assert_close(attended.features, attend(x.float(), "s_times_c").features)
    # More distinct weights than bfloat16 has between exp(-1/8) and 1 (N4).
    assert attended.channel.unique().numel() > 31 * 0.9
