"""The network's input against its definition, worked out with Pillow and NumPy."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from capnet.data.augment import Draws, augment, draw, normalise

PLAIN = {"flip": 0.0, "pad": 0, "erasing": 0.0}


def photo(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def batch(*images):
    """Stack pixels (H, W, 3) to (B, 3, H, W)."""
    return torch.from_numpy(np.stack([np.asarray(image).transpose(2, 0, 1) for image in images]))


def expected(image):
    """Normalise pixels (H, W, 3) by the definition, in float64."""
    values = np.asarray(image).transpose(2, 0, 1) / 255
    mean, deviation = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).reshape(2, 3, 1, 1)
    return (values - mean) / deviation


def seeds(count, start=0):
    return torch.arange(start, start + count) * 7919 + 2**61


def augmented(image, count=1, **chosen):
    """Augment `count` copies of an image, each with a seed of its own."""
    images = batch(*[image] * count)
    draws = draw(seeds(count), *images.shape[2:], **{**PLAIN, **chosen})
    return augment(images, draws).numpy()


@pytest.mark.parametrize(
    ("colour", "values"),
    [
        ((0, 0, 0), (-2.117904, -2.035714, -1.804444)),
        ((255, 255, 255), (2.248908, 2.428571, 2.640000)),
        ((51, 102, 153), (-1.244541, -0.250000, 0.862222)),  # 0.2, 0.4, 0.6
    ],
)
def test_normalised_values_are_those_worked_out_by_hand(colour, values):
    (result,) = normalise(batch(Image.new("RGB", (4, 6), colour)))
    assert (result.dtype, result.shape) == (torch.float32, (3, 6, 4))
    for channel, value in zip(result, values, strict=True):
        np.testing.assert_allclose(channel, value, atol=2e-6)


def test_without_augmentation_an_image_is_only_normalised():
    image = photo(16, 8)
    np.testing.assert_allclose(augmented(image)[0], expected(image), atol=1e-6)


def test_flip_of_probability_one_mirrors():
    image = photo(16, 8)
    mirrored = expected(ImageOps.mirror(Image.fromarray(image)))
    np.testing.assert_allclose(augmented(image, flip=1.0)[0], mirrored, atol=1e-6)


def test_flip_of_one_half_does_both():
    image = photo(16, 8)
    mirrored = expected(ImageOps.mirror(Image.fromarray(image)))
    results = augmented(image, 400, flip=0.5)
    share = np.mean([np.allclose(result, mirrored, atol=1e-5) for result in results])
    assert 0.4 < share < 0.6


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_a_crop_is_a_window_of_the_image_with_a_black_border(flip):
    image = Image.fromarray(photo(16, 8))
    border = expected(ImageOps.expand(ImageOps.mirror(image) if flip else image, 3, fill=0))
    windows = {
        (y, x): border[:, y : y + 16, x : x + 8].astype(np.float32)
        for y in range(7)
        for x in range(7)
    }
    counts = dict.fromkeys(windows, 0)
    for result in augmented(image, 980, pad=3, flip=flip):
        (place,) = [p for p, w in windows.items() if np.allclose(result, w, atol=1e-5)]
        counts[place] += 1
    assert min(counts.values()) > 3  # 20 are expected
    assert max(counts.values()) < 50


def test_a_border_as_wide_as_the_image_may_show_no_image():
    black = expected(np.zeros((6, 4, 3), dtype=np.uint8))
    draws = Draws(np.array([False]), np.array([[6, -4]]), np.zeros((1, 4), dtype=np.int64))
    np.testing.assert_allclose(augment(batch(photo(6, 4)), draws)[0], black, atol=1e-6)


def test_an_erased_box_takes_the_mean_colour_and_leaves_the_rest():
    height, width = 96, 48
    white = np.full((height, width, 3), 255, dtype=np.uint8)
    whole = normalise(batch(white))[0].numpy()
    tops, shares = [], []
    for result in augmented(white, 300, erasing=1.0):
        erased = (result == 0).all(axis=0)
        ys, xs = erased.any(axis=1).nonzero()[0], erased.any(axis=0).nonzero()[0]
        tall, wide = int(np.ptp(ys)) + 1, int(np.ptp(xs)) + 1
        assert erased.sum() == tall * wide
        np.testing.assert_array_equal(result[:, ~erased], whole[:, ~erased])
        # The sides are rounded to whole pixels after the draw.
        assert (tall + 1) * (wide + 1) > 0.02 * height * width
        assert (tall - 1) * (wide - 1) < 0.4 * height * width
        assert (tall + 1) / (wide - 1 or 0.5) > 0.3
        assert (tall - 1) / (wide + 1) < 1 / 0.3
        tops.append(ys.min() / (height - tall))
        shares.append(erased.mean())
    assert np.mean(tops) == pytest.approx(0.5, abs=0.06)  # anywhere in the image, alike
    assert np.mean(shares) == pytest.approx(0.2, abs=0.03)  # boxes too large to fit are drawn again


def test_erasing_happens_as_often_as_asked():
    boxes = draw(seeds(1000), 96, 48, flip=0.0, pad=0, erasing=0.3).box
    assert np.mean(boxes[:, 2] > boxes[:, 0]) == pytest.approx(0.3, abs=0.05)


def test_what_is_drawn_follows_the_seed_and_not_the_batch():
    chosen = {"flip": 0.5, "pad": 3, "erasing": 0.5}
    whole = draw(seeds(12), 32, 16, **chosen)
    for place in range(12):
        alone = draw(seeds(1, start=place), 32, 16, **chosen)
        for ours, theirs in zip(alone, whole, strict=True):
            np.testing.assert_array_equal(ours[0], theirs[place])


def test_draws_do_not_hang_together():
    """A mirrored image is no more often erased or shifted down than another."""
    draws = draw(seeds(4000), 96, 48, flip=0.5, pad=10, erasing=0.5)
    erased = draws.box[:, 2] > draws.box[:, 0]
    facts = np.stack([draws.flip, erased, *draws.shift.T, *draws.box[:, :2].T]).astype(float)
    correlation = np.corrcoef(facts)
    erasing = [1, 4, 5]  # a box has a place only where there is one
    correlation[np.ix_(erasing, erasing)] = 0
    assert np.abs(correlation - np.diag(correlation.diagonal())).max() < 0.06


def test_no_global_random_state_is_read_or_changed():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = augmented(photo(16, 8), 4, flip=0.5, pad=3, erasing=0.5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    np.testing.assert_array_equal(first, augmented(photo(16, 8), 4, flip=0.5, pad=3, erasing=0.5))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_device_changes_nothing():
    images = batch(*(photo(96, 48, seed) for seed in range(8)))
    draws = draw(seeds(8), 96, 48, flip=0.5, pad=5, erasing=0.5)
    there = augment(images.cuda(), draws).cpu()
    torch.testing.assert_close(there, augment(images, draws), rtol=0, atol=1e-6)
