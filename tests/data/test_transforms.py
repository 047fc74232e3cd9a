import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from capnet.data import transforms
from capnet.data.transforms import rgb, train_transform

PLAIN = {"flip": 0.0, "pad": 0, "erasing": 0.0}


def photo(height, width, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def expected(image):
    """Normalise an RGB image of the right size by the definition, in float64."""
    pixels = np.asarray(image).transpose(2, 0, 1) / 255
    mean, std = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).reshape(2, 3, 1, 1)
    return (pixels - mean) / std


@pytest.mark.parametrize(
    ("colour", "values"),
    [
        ((0, 0, 0), (-2.117904, -2.035714, -1.804444)),
        ((255, 255, 255), (2.248908, 2.428571, 2.640000)),
        ((51, 102, 153), (-1.244541, -0.250000, 0.862222)),  # 0.2, 0.4, 0.6
    ],
)
def test_normalised_values_are_those_worked_out_by_hand(colour, values):
    result = transforms.test_transform(6, 4)(Image.new("RGB", (9, 20), colour))
    assert result.dtype == torch.float32
    assert result.shape == (3, 6, 4)
    for channel, value in zip(result, values, strict=True):
        np.testing.assert_allclose(channel, value, atol=2e-6)


def test_an_image_of_the_right_size_is_only_normalised():
    image = photo(16, 8)
    for transform in (transforms.test_transform(16, 8), train_transform(16, 8, **PLAIN)):
        np.testing.assert_allclose(transform(image), expected(image), atol=1e-6)


def test_shrinking_averages_what_it_leaves_out():
    # White every fourth column: without antialiasing a quarter-size image would be black.
    pixels = np.zeros((8, 64, 3), dtype=np.uint8)
    pixels[:, ::4] = 255
    result = transforms.test_transform(8, 16)(Image.fromarray(pixels))
    grey = expected(np.full((8, 16, 3), 255 / 4))
    np.testing.assert_allclose(result[..., 1:-1], grey[..., 1:-1], atol=0.02)


def test_enlarging_interpolates_between_neighbours():
    image = Image.fromarray(np.array([[[0] * 3, [200] * 3]], dtype=np.uint8))
    result = transforms.test_transform(1, 4)(image)
    row = [[[0] * 3, [50] * 3, [150] * 3, [200] * 3]]  # centres at -1/4, 1/4, 3/4, 5/4
    np.testing.assert_allclose(result, expected(np.array(row)), atol=1e-6)


def test_flip_of_probability_one_mirrors():
    image = photo(16, 8)
    result = train_transform(16, 8, **{**PLAIN, "flip": 1.0})(image)
    np.testing.assert_allclose(result, expected(ImageOps.mirror(image)), atol=1e-6)


def test_flip_of_one_half_does_both():
    image = photo(16, 8)
    transform = train_transform(16, 8, **{**PLAIN, "flip": 0.5})
    mirrored = torch.tensor(expected(ImageOps.mirror(image)), dtype=torch.float32)
    share = np.mean([torch.allclose(transform(image), mirrored, atol=1e-5) for _ in range(200)])
    assert 0.3 < share < 0.7


def test_crop_is_a_window_of_the_image_with_a_black_border():
    image = photo(16, 8)
    border = expected(ImageOps.expand(image, 3, fill=0))
    windows = {
        (y, x): torch.tensor(border[:, y : y + 16, x : x + 8], dtype=torch.float32)
        for y in range(7)
        for x in range(7)
    }
    transform = train_transform(16, 8, **{**PLAIN, "pad": 3})
    seen = set()
    for _ in range(150):
        result = transform(image)
        (place,) = [p for p, w in windows.items() if torch.allclose(result, w, atol=1e-5)]
        seen.add(place)
    assert {y for y, _ in seen} == {x for _, x in seen} == set(range(7))


def test_an_erased_box_takes_the_mean_colour_and_leaves_the_rest():
    height, width = 96, 48
    image = Image.new("RGB", (width, height), (255, 255, 255))
    whole = transforms.test_transform(height, width)(image)
    transform = train_transform(height, width, **{**PLAIN, "erasing": 1.0})
    for _ in range(100):
        result = transform(image)
        erased = (result == 0).all(dim=0)
        ys, xs = (erased.any(dim=axis).nonzero() for axis in (1, 0))
        tall, wide = (int(v.max() - v.min()) + 1 for v in (ys, xs))
        assert int(erased.sum()) == tall * wide
        assert torch.equal(result[:, ~erased], whole[:, ~erased])
        # The sides are rounded to whole pixels after the draw.
        assert (tall + 1) * (wide + 1) > 0.02 * height * width
        assert (tall - 1) * (wide - 1) < 0.4 * height * width
        assert (tall + 1) / (wide - 1 or 0.5) > 0.3
        assert (tall - 1) / (wide + 1) < 3.3


def test_draws_follow_torch_and_nothing_else():
    transform = train_transform(16, 8, flip=0.5, pad=3, erasing=0.5)
    results = []
    for _ in range(2):
        torch.manual_seed(7)
        results.append(torch.stack([transform(photo(20, 10)) for _ in range(8)]))
    assert torch.equal(*results)


def palette():
    image = Image.new("P", (4, 8), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.info["transparency"] = b"\x00\x80"
    return image


@pytest.mark.parametrize(
    ("image", "colour"),
    [
        (Image.new("L", (4, 8), 77), (77, 77, 77)),
        (Image.new("1", (4, 8), 1), (255, 255, 255)),
        (Image.new("LA", (4, 8), (77, 3)), (77, 77, 77)),
        (Image.new("RGBA", (4, 8), (10, 20, 30, 3)), (10, 20, 30)),
        (Image.new("CMYK", (4, 8), (255, 0, 0, 0)), (0, 255, 255)),
        (palette(), (10, 20, 30)),
    ],
    ids=["grey", "bits", "grey with alpha", "alpha", "cmyk", "palette"],
)
def test_images_of_any_mode_become_rgb(image, colour):
    assert rgb(image).getcolors() == [(32, colour)]


def test_exif_orientation_is_not_applied():
    image, content = photo(8, 4), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    image.save(content, "png", exif=exif)
    np.testing.assert_array_equal(rgb(Image.open(content)), image)
