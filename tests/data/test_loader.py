"""Batches of pixels, whatever loads them."""

import numpy as np
import pytest
import torch
from PIL import Image

from capnet.data import loader
from capnet.data.pixels import FilePixels, kept_pixels
from capnet.data.sampler import Draw, epoch_batches
from capnet.records import Record

SIZE = (16, 8)


@pytest.fixture
def records(tmp_path):
    rng = np.random.default_rng(0)
    records = []
    for number in range(12):
        pixels = rng.integers(0, 256, (20, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        records.append(Record(f"{number}.png", 50 + number // 3, 1, "train", number // 3, ""))
    return records


@pytest.fixture(params=["files", "kept"])
def pixels(request, records, tmp_path):
    files = FilePixels(records, tmp_path, *SIZE)
    return files if request.param == "files" else kept_pixels(files, tmp_path / "kept")


@pytest.fixture
def labels(records):
    return [record.label for record in records]


def load(pixels, labels, batches, workers=0):
    return list(loader.train_loader(pixels, labels, batches, workers))


def test_batches_hold_images_their_labels_and_their_seeds(pixels, labels):
    wanted = epoch_batches(labels, 2, 3, 1, 0)
    loaded = load(pixels, labels, wanted)
    assert len(loaded) == len(wanted)
    for draws, (images, numbers, seeds) in zip(wanted, loaded, strict=True):
        assert (images.shape, images.dtype) == ((6, 3, *SIZE), torch.uint8)
        np.testing.assert_array_equal(images, pixels[[draw.index for draw in draws]])
        assert numbers.dtype == seeds.dtype == torch.int64
        assert numbers.tolist() == [labels[draw.index] for draw in draws]
        assert seeds.tolist() == [draw.seed for draw in draws]


@pytest.mark.filterwarnings("ignore:.*fork", "ignore:This DataLoader will create")
def test_workers_do_not_change_a_value(pixels, labels):
    wanted = epoch_batches(labels, 2, 3, 1, 0)
    alone, helped = (load(pixels, labels, wanted, workers) for workers in (0, 2))
    for batch, other in zip(alone, helped, strict=True):
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(batch, other, strict=True))


def test_loading_leaves_the_global_random_state_alone(pixels, labels):
    before = torch.get_rng_state()
    load(pixels, labels, [[Draw(0, 5), Draw(3, 2**62)]])
    assert torch.equal(torch.get_rng_state(), before)


def test_test_images_come_in_order_and_all(records, tmp_path):
    files = FilePixels(records, tmp_path, *SIZE)
    loaded = list(loader.test_loader(files, 5, 0))
    assert [b.numbers.tolist() for b in loaded] == [[*range(5)], [*range(5, 10)], [10, 11]]
    np.testing.assert_array_equal(torch.cat([b.images for b in loaded]), files[list(range(12))])


def test_no_test_images_give_no_batches(tmp_path):
    assert list(loader.test_loader(FilePixels([], tmp_path, *SIZE), 5, 0)) == []


@pytest.mark.parametrize(("gpu", "cores", "workers"), [(False, 64, 0), (True, 64, 8), (True, 4, 4)])
def test_default_number_of_workers(monkeypatch, gpu, cores, workers):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(loader, "cores_per_process", lambda: cores)
    assert loader.default_workers() == workers
