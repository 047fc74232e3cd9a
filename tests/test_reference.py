"""Hand-worked checks of the attention, loss and schedule oracles in `tests/reference`."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal

from tests import reference

FOLDER = Path(reference.__file__).parent

# Channel 0 is (1, 0, 0, 0) and channel 1 is (0, 1/2, 0, 0) over the four pixels of a 2x2 map.
ONE_HOT = np.array([[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.5], [0.0, 0.0]]]])
# avg = (1/2, 1/4, 0, 0) and max = (1, 1/2, 0, 0), both N -> (1, 1/2, 0, 0), hence so is A_s.
# cos = 2 / sqrt 5 and 1 / sqrt 5: the angles are atan(1/2) and atan(2), weights exp(-t^2/(2 pi^2)).
W0, W1 = 0.98916862429574, 0.939790168840503
# After the spatial module the channels are (1, 0, 0, 0), (0, 1/4, 0, 0), so A_s' = (1, 1/4, 0, 0)
# and the angles are atan(1/4) and atan(4).
V0, V1 = 0.9969642448643476, 0.9147990940145377


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_the_oracles_import_nothing_from_the_library(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            assert not any(name.split(".")[0] == "capnet" for name in names)


def test_normalise_touches_zero_and_one_and_turns_a_constant_map_into_ones():
    # (1, 3, 5, 9): minus 1, over 8.
    maps = np.array([[[1, 3], [5, 9]], [[7, 7], [7, 7]]])
    assert_array_equal(reference.normalise(maps), [[[0, 0.25], [0.5, 1]], [[1, 1], [1, 1]]])


def test_spatial_attention_by_hand():
    # avg (0, 2, 2, 2) -> (0, 1, 1, 1); max (0, 3, 2, 3) -> (0, 1, 2/3, 1);
    # the sum (0, 2, 5/3, 2) -> (0, 1, 5/6, 1).
    x = np.array([[[[0, 1], [2, 3]], [[0, 3], [2, 1]]]])
    assert_allclose(reference.spatial_attention(x), [[[[0, 1], [5 / 6, 1]]]], rtol=1e-15)


def test_spatial_attention_with_a_constant_inner_map():
    # avg (1, 1, 1, 1) -> ones; max (2, 1, 2, 1) -> (1, 0, 1, 0); sum (2, 1, 2, 1) -> (1, 0, 1, 0).
    x = np.array([[[[0, 1], [2, 1]], [[2, 1], [0, 1]]]])
    assert_array_equal(reference.spatial_attention(x), [[[[1, 0], [1, 0]]]])
    assert_array_equal(
        reference.spatial_attention(np.full((1, 3, 2, 2), 4.0)), np.ones((1, 1, 2, 2))
    )


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ((2, 0, 2, 0), 1.0),  # parallel: 0
        ((1, 0, 0, 0), 0.9692332344763441),  # 45 degrees: exp(-1/32)
        ((1, 0, 0, 1), 0.9459594689067654),  # 60 degrees: exp(-1/18)
        ((0, 3, 0, 1), 0.8824969025845955),  # 90 degrees: exp(-1/8)
        ((0, 0, 0, 0), 0.8824969025845955),  # zero channel: as if 90 degrees
        ((-1, 0, -1, 0), 0.6065306597126334),  # a signed map, 180 degrees: exp(-1/2)
    ],
)
def test_channel_attention_by_hand(channel, expected):
    x = np.array(channel, dtype=float).reshape(1, 1, 2, 2)
    a_s = np.array([[[[1, 0], [1, 0]]]])
    # Near a cosine of -1, acos turns a rounding of 1e-16 into an angle of 1e-8.
    assert_allclose(reference.channel_attention(x, a_s), [[[[expected]]]], rtol=1e-8)


def test_channel_attention_of_a_zero_map_and_of_a_narrower_gaussian():
    x = np.ones((1, 1, 2, 2))
    zero = np.zeros((1, 1, 2, 2))
    # 90 degrees: exp(-1/8) for sigma pi, exp(-1/2) for sigma pi / 2.
    assert reference.channel_attention(x, zero).item() == pytest.approx(0.8824969025845955)
    narrow = reference.channel_attention(x, zero, sigma=math.pi / 2)
    assert narrow.item() == pytest.approx(0.6065306597126334)


@pytest.mark.parametrize(
    ("form", "first", "second", "spatial", "channel"),
    [
        ("s", 1, 1 / 4, (1, 1 / 2), None),
        ("c", W0, W1 / 2, (1, 1 / 2), (W0, W1)),
        ("s_times_c", W0, W1 / 4, (1, 1 / 2), (W0, W1)),
        # The second module sees (1, 0, 0, 0) and (0, 1/4, 0, 0).
        ("s_then_c", V0, V1 / 4, (1, 1 / 2), (V0, V1)),
        # The second module sees (w0, 0, 0, 0) and (0, w1 / 2, 0, 0): A_s' = (1, w1 / (2 w0), 0, 0).
        ("c_then_s", W0, W1**2 / (4 * W0), (1, W1 / (2 * W0)), (W0, W1)),
    ],
)
@pytest.mark.parametrize("residual", [False, True])
def test_attend_by_hand(form, first, second, spatial, channel, residual):
    features, a_s, a_c = reference.attend(ONE_HOT, form, residual=residual)
    expected = np.array([[[[first, 0], [0, 0]], [[0, second], [0, 0]]]]) + residual * ONE_HOT
    assert_allclose(features, expected, rtol=1e-14)
    assert_allclose(a_s.ravel(), [*spatial, 0, 0], rtol=1e-14)
    if channel is None:
        assert a_c is None
    else:
        assert_allclose(a_c, np.reshape(channel, (1, 2, 1, 1)), rtol=1e-14)


def test_attend_leaves_the_baseline_alone_and_refuses_an_unknown_form():
    features, spatial, channel = reference.attend(ONE_HOT, "baseline", residual=True)
    assert_array_equal(features, ONE_HOT)
    assert spatial is None
    assert channel is None
    with pytest.raises(ValueError, match="unknown form 's-c'"):
        reference.attend(ONE_HOT, "s-c")


def test_cam_takes_the_row_of_the_image_s_own_identity():
    y = np.array([[[[1.0, 2.0]], [[3.0, 4.0]]], [[[5.0, 6.0]], [[7.0, 8.0]]]])  # (2, 2, 1, 2)
    weight = np.array([[1.0, 0.0], [10.0, 1.0], [0.0, -1.0]])
    # Image 0, identity 1: 10 * (1, 2) + (3, 4). Image 1, identity 2: -(7, 8).
    assert_array_equal(reference.cam(y, weight, [1, 2]), [[[[13, 24]]], [[[-7, -8]]]])
    # scale (2, 1/2): 20 * (1, 2) + (3, 4) / 2 and -(7, 8) / 2.
    scaled = reference.cam(y, weight, [1, 2], scale=[2.0, 0.5])
    assert_array_equal(scaled, [[[[21.5, 42]]], [[[-3.5, -4]]]])
    maps = reference.full_class_maps(y, weight)
    assert_array_equal(maps[0], [[[1, 2]], [[13, 24]], [[-3, -4]]])


def test_bilinear_upsample_by_hand():
    # 2 -> 4 centres fall at -1/4, 1/4, 3/4, 5/4, so (0, 4) -> (0, 1, 3, 4) and the rows (0, 8)
    # add (0, 2, 6, 8).
    row = np.array([0, 1, 3, 4])
    expected = [[row, row + 2, row + 6, row + 8]]
    assert_array_equal(reference.bilinear_upsample([[[0, 4], [8, 12]]], (4, 4)), expected)


@pytest.mark.parametrize("size", [(5, 3), (7, 11), (24, 8), (13, 2)])
def test_bilinear_upsample_agrees_with_torch(size):
    m = np.random.default_rng(0).normal(size=(2, 3, 5, 2))
    options = {"mode": "bilinear", "align_corners": False}
    expected = F.interpolate(torch.from_numpy(m), size=size, **options)
    assert_allclose(reference.bilinear_upsample(m, size), expected.numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2, 2), 1 / 4),  # N(M) - A_s = (0, 1 / 0, 0)
        ((2, 4), 13 / 64),  # row (0, 1/4, 3/4, 1): squares 26/16, over 8 pixels
        ((4, 4), 169 / 1024),  # outer product with column (1, 3/4, 1/4, 0): (26/16)^2 over 16
    ],
)
def test_attention_loss_by_hand(size, expected):
    m = np.array([[[[-2.0, 4.0], [4.0, 4.0]]]])  # N(M) = (0, 1 / 1, 1)
    a_s = np.array([[[[0.0, 0.0], [1.0, 1.0]]]])
    assert reference.attention_loss(m, a_s, size) == expected


def test_attention_loss_leaves_out_constant_cams():
    m = np.array([[[[0.0, 1.0]]], [[[5.0, 5.0]]], [[[1.0, 0.0]]]])
    a_s = np.array([[[[0.0, 1.0]]], [[[0.0, 1.0]]], [[[0.0, 1.0]]]])
    # Losses 0, left out, 1.
    assert reference.attention_loss(m, a_s, (1, 2)) == 0.5
    assert reference.attention_loss(m[1:2], a_s[1:2], (1, 2)) == 0.0


def test_identity_loss_by_hand():
    # Probabilities 1/4 and 3/4. Plain: -ln(3/4). Smoothed by 0.2: -0.9 ln(3/4) - 0.1 ln(1/4).
    logits = [[0.0, math.log(3)]]
    assert reference.identity_loss(logits, [1]) == pytest.approx(0.2876820724517809, rel=1e-14)
    smoothed = reference.identity_loss(logits, [1], smoothing=0.2)
    assert smoothed == pytest.approx(0.39754330131859184, rel=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_identity_loss_agrees_with_torch(smoothing):
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(scale=30, size=(6, 5)), rng.integers(5, size=6)
    expected = F.cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(labels), label_smoothing=smoothing
    )
    loss = reference.identity_loss(logits, labels, smoothing)
    assert loss == pytest.approx(expected.item(), rel=1e-12)


def test_triplet_loss_by_hand():
    # Two people: (0,0), (3,4) and (6,8), (6,0).
    # anchor    farthest own   nearest other   loss with margin 0.3
    # (0,0)     5              6  to (6,0)     0
    # (3,4)     5              5  to both      0.3
    # (6,8)     8              5  to (3,4)     3.3
    # (6,0)     8              5  to (3,4)     3.3        mean 6.9 / 4
    features = [[0, 0], [3, 4], [6, 8], [6, 0]]
    assert reference.triplet_loss(features, [7, 7, 2, 2]) == pytest.approx(1.725, rel=1e-14)
    # Margin 0: 0, 0, 3, 3.
    assert reference.triplet_loss(features, [7, 7, 2, 2], margin=0.0) == 1.5
    # (0,0) alone: own 0, nearest other 5, loss 0; (3,4): own 5 to (6,8), other 5; (6,8): own 8,
    # other 10; (6,0): own 8, other 6: 0, 0.3, 0, 2.3.
    assert reference.triplet_loss(features, [7, 2, 2, 2]) == pytest.approx(0.65, rel=1e-14)
    with pytest.raises(ValueError, match="at least two identities"):
        reference.triplet_loss(features, [7, 7, 7, 7])


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, 3.5e-6),
        (5, 1.7675e-4),  # 3.5e-4 * (0.01 / 2 + 1 / 2)
        (9, 3.1535e-4),  # 3.5e-4 * (0.001 + 0.9)
        (10, 3.5e-4),
        (11, 3.5e-4),
        (29, 3.5e-4),
        (30, 3.5e-5),
        (49, 3.5e-5),
        (50, 3.5e-6),
        (59, 3.5e-6),
    ],
)
def test_learning_rate_by_hand(epoch, expected):
    assert reference.learning_rate(epoch) == pytest.approx(expected, rel=1e-12)
