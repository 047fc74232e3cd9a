"""The neck against torch's own batch normalisation (R5, A11, A13)."""

import pytest
import torch
from torch import nn

from capnet.models.batchnorm import Neck, synchronise


def shifted(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(len(shape))
    return 3 + 2 * torch.randn(shape, generator=generator, dtype=torch.float64)


def pair(channels: int, oracle: type[nn.Module]) -> tuple[Neck, nn.Module]:
    """A neck and torch's module with the same weight; its bias stays zero."""
    neck, theirs = Neck(channels).double(), oracle(channels).double()
    with torch.no_grad():
        neck.weight.uniform_(0.5, 2)
        theirs.weight.copy_(neck.weight)
    return neck, theirs


@pytest.mark.parametrize(
    ("oracle", "shape"), [(nn.BatchNorm1d, (6, 5)), (nn.BatchNorm2d, (4, 5, 3, 2))]
)
def test_the_neck_is_torchs_batch_normalisation_without_a_shift(oracle, shape):
    neck, theirs = pair(5, oracle)
    for step in range(3):
        ours_in = (shifted(*shape) * (1 + step)).requires_grad_()
        theirs_in = ours_in.detach().clone().requires_grad_()
        ours, expected = neck(ours_in)[0], theirs(theirs_in)
        torch.testing.assert_close(ours, expected)
        probe = torch.randn_like(expected)
        (ours * probe).sum().backward()
        (expected * probe).sum().backward()
        torch.testing.assert_close(ours_in.grad, theirs_in.grad)
        torch.testing.assert_close(neck.weight.grad, theirs.weight.grad)
        torch.testing.assert_close(neck.running_mean, theirs.running_mean)
        torch.testing.assert_close(neck.running_var, theirs.running_var)
    neck.eval(), theirs.eval()
    x = shifted(*shape)
    before = neck.running_mean.clone()
    torch.testing.assert_close(neck(x)[0], theirs(x))
    assert torch.equal(neck.running_mean, before)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3, 2)])
def test_the_factor_is_what_each_channel_was_scaled_by(shape, training):
    neck, _ = pair(5, nn.BatchNorm1d)
    neck(shifted(*shape))
    neck.train(training)
    x = shifted(*shape)
    other = x + torch.randn_like(x)
    normalised, factor = neck(x)
    # The slope between any two points of one batch is the factor.
    per_channel = factor.view(-1, *[1] * (x.dim() - 2))
    torch.testing.assert_close(normalised[1:] - normalised[:-1], (x[1:] - x[:-1]) * per_channel)
    if not training:
        torch.testing.assert_close(neck(other)[0] - normalised, (other - x) * per_channel)


def test_only_the_scale_is_trained_and_starts_at_one():
    neck = Neck(7)
    assert {name: p.tolist() for name, p in neck.named_parameters()} == {"weight": [1.0] * 7}
    assert neck.state_dict().keys() == {"weight", "running_mean", "running_var"}


def test_a_constant_channel_stays_finite():
    neck = Neck(2)
    x = torch.full((4, 2), 5.0, requires_grad=True)
    neck(x)[0].square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert (neck.running_var >= 0).all()


def test_one_process_has_nothing_to_synchronise():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    assert synchronise(network, torch.device("cpu")) is network
    assert type(network[1]) is nn.BatchNorm2d
