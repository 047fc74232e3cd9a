"""Pixels of the input size against Pillow, from files and from what was kept of them."""

import io

import numpy as np
import pytest
from PIL import Image

from capnet.data import pixels
from capnet.data.pixels import FilePixels, kept_pixels, read_rgb, rgb
from capnet.records import Record

SIZE = (24, 10)


def photo(height, width, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def palette():
    image = Image.new("P", (4, 8), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.info["transparency"] = b"\x00\x80"
    return image


KINDS = {  # as people find them: the file's name, the image, how it is saved
    "jpeg": ("a.jpg", photo(20, 9), {"quality": 90}),
    "jpeg of full colour": ("a.JPEG", photo(33, 17), {"quality": 95, "subsampling": 0}),
    "progressive jpeg": ("a.jpg", photo(48, 20), {"progressive": True}),
    "grey jpeg": ("a.jpg", photo(20, 9).convert("L"), {}),
    "cmyk jpeg": ("a.jpg", photo(20, 9).convert("CMYK"), {}),
    "png": ("a.png", photo(20, 9), {}),
    "grey png": ("a.png", photo(20, 9).convert("L"), {}),
    "grey png with alpha": ("a.png", photo(20, 9).convert("LA"), {}),
    "png with alpha": ("a.png", photo(20, 9).convert("RGBA"), {}),
    "palette": ("a.png", palette(), {}),
    "png named jpg": ("a.jpg", photo(20, 9), {"format": "png"}),
}


@pytest.fixture
def people(tmp_path):
    """Return records of seven images of several sizes and kinds, and their root."""
    records = []
    for number, (name, image, options) in enumerate(list(KINDS.values())[:7]):
        path = tmp_path / f"{number}_{name}"
        image.save(path, **options)
        records.append(Record(path.name, number, 1, "train", number, f"digest {number}"))
    return records, tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_file_is_read_as_pillow_reads_it(tmp_path, kind):
    name, image, options = KINDS[kind]
    image.save(tmp_path / name, **options)
    with Image.open(tmp_path / name) as opened:
        expected = np.asarray(rgb(opened)).astype(int).transpose(2, 0, 1)
    result = read_rgb(tmp_path / name).numpy().astype(int)
    assert result.shape == expected.shape
    # Two builds of one JPEG library may round one colour conversion differently.
    assert np.abs(result - expected).max() <= 1


def test_pixels_are_pillows_resized(people):
    records, root = people
    result = FilePixels(records, root, *SIZE)[list(range(len(records)))]
    assert (result.shape, result.dtype) == ((len(records), 3, *SIZE), np.uint8)
    for values, record in zip(result.astype(int), records, strict=True):
        with Image.open(root / record.path) as image:
            resized = rgb(image).resize(SIZE[::-1], Image.Resampling.BILINEAR)
        assert np.abs(values - np.asarray(resized).astype(int).transpose(2, 0, 1)).max() <= 1


def test_an_image_of_the_right_size_is_not_changed(tmp_path):
    image = photo(*SIZE)
    image.save(tmp_path / "a.png")
    one = FilePixels([Record("a.png", 1, 1, "query", -1, "")], tmp_path, *SIZE)[[0]][0]
    np.testing.assert_array_equal(one, np.asarray(image).transpose(2, 0, 1))


def test_shrinking_averages_what_it_leaves_out(tmp_path):
    # White every fourth column: without antialiasing a quarter-size image would be black.
    values = np.zeros((8, 64, 3), dtype=np.uint8)
    values[:, ::4] = 255
    Image.fromarray(values).save(tmp_path / "a.png")
    one = FilePixels([Record("a.png", 1, 1, "query", -1, "")], tmp_path, 8, 16)[[0]][0]
    np.testing.assert_allclose(one[..., 1:-1], 255 / 4, atol=1)


def test_enlarging_interpolates_between_neighbours(tmp_path):
    Image.fromarray(np.array([[[0] * 3, [200] * 3]], dtype=np.uint8)).save(tmp_path / "a.png")
    one = FilePixels([Record("a.png", 1, 1, "query", -1, "")], tmp_path, 1, 4)[[0]][0]
    assert one.tolist() == 3 * [[[0, 50, 150, 200]]]  # centres at -1/4, 1/4, 3/4, 5/4


def test_what_is_kept_is_what_the_files_give(people, tmp_path):
    files = FilePixels(*people, *SIZE)
    everything = list(range(len(people[0])))
    kept = kept_pixels(files, tmp_path / "kept")
    np.testing.assert_array_equal(kept[everything], files[everything])
    assert not kept.flags.writeable
    assert [path.suffix for path in (tmp_path / "kept").iterdir()].count(".npy") == 1


def test_what_was_kept_is_used_again_and_only_for_the_same_images_and_size(people, tmp_path):
    records, root = people
    folder = tmp_path / "kept"
    kept_pixels(FilePixels(records, root, *SIZE), folder)
    (root / records[0].path).unlink()
    again = kept_pixels(FilePixels(records, root, *SIZE), folder)  # no file is opened
    assert len(again) == len(records)
    for others, size in (([*records[1:], records[0]], SIZE), (records, (12, 10))):
        with pytest.raises(OSError, match=r"0_a\.jpg: cannot be read"):
            kept_pixels(FilePixels(others, root, *size), folder)
    assert len(list(folder.glob("*.npy"))) == 1  # nothing half-written


def test_what_a_killed_training_half_wrote_goes(people, tmp_path):
    records, root = people
    half = tmp_path / ".abc.npy.123.tmp"
    half.write_bytes(b"half")
    kept_pixels(FilePixels(records, root, *SIZE), tmp_path)
    assert not half.exists()


def test_without_room_the_files_are_read(people, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(pixels.shutil, "disk_usage", lambda folder: type("", (), {"free": 100}))
    files = FilePixels(*people, *SIZE)
    assert kept_pixels(files, tmp_path / "kept") is files
    assert "reading every image again in each epoch" in caplog.text


@pytest.mark.parametrize("name", ["4.png", "4.jpg"])
@pytest.mark.parametrize("fault", ["missing", "truncated", "text"])
def test_an_image_that_went_bad_is_named_with_the_remedy(tmp_path, name, fault):
    path = tmp_path / name
    photo(64, 32).save(path)
    content = {"truncated": path.read_bytes()[:200], "text": b"not an image"}
    path.unlink()
    if fault in content:
        path.write_bytes(content[fault])
    files = FilePixels([Record(name, 1, 1, "query", -1, "")], tmp_path, *SIZE)
    with pytest.raises(OSError, match=rf"{name}: cannot be read .*`dvc repro --force prepare`"):
        files[[0]]


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


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_exif_orientation_is_not_applied(tmp_path, kind):
    image, exif = photo(8, 4), Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    content = io.BytesIO()
    image.save(content, kind, exif=exif)
    (tmp_path / f"a.{kind}").write_bytes(content.getvalue())
    assert read_rgb(tmp_path / f"a.{kind}").shape == (3, 8, 4)
