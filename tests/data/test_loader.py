import numpy as np
import pytest
import torch
from PIL import Image

from capnet.data import loader
from capnet.data.sampler import Draw, epoch_batches
from capnet.data.transforms import train_transform
from capnet.records import Record

SIZE = (16, 8)
TRANSFORM = train_transform(*SIZE, flip=0.5, pad=2, erasing=0.5)


@pytest.fixture
def records(tmp_path):
    rng = np.random.default_rng(0)
    records = []
    for number in range(12):
        pixels = rng.integers(0, 256, (20, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        records.append(Record(f"{number}.png", 50 + number // 3, 1, "train", number // 3, ""))
    return records


def batches(records, epoch=0):
    return epoch_batches([r.label for r in records], 2, 3, 1, epoch)


def load(records, root, batches, workers=0):
    return list(loader.train_loader(records, root, TRANSFORM, batches, workers))


def test_batches_hold_images_and_their_labels(records, tmp_path):
    wanted = batches(records)
    loaded = load(records, tmp_path, wanted)
    assert len(loaded) == len(wanted)
    for batch, (images, labels) in zip(wanted, loaded, strict=True):
        assert (images.shape, images.dtype) == ((6, 3, *SIZE), torch.float32)
        assert labels.dtype == torch.int64
        assert labels.tolist() == [records[draw.index].label for draw in batch]


@pytest.mark.filterwarnings("ignore:.*fork", "ignore:This DataLoader will create")
def test_workers_do_not_change_a_value(records, tmp_path):
    wanted = batches(records)
    alone, helped = (load(records, tmp_path, wanted, workers) for workers in (0, 2))
    for (images, labels), (other_images, other_labels) in zip(alone, helped, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(labels, other_labels)


def test_a_draw_gives_the_same_image_in_any_batch(records, tmp_path):
    whole = load(records, tmp_path, batches(records))
    draws = [draw for batch in batches(records) for draw in batch]
    singly = load(records, tmp_path, [[draw] for draw in reversed(draws)])
    assert torch.equal(
        torch.cat([images for images, _ in whole]),
        torch.cat([images for images, _ in reversed(singly)]),
    )


def test_one_image_is_augmented_differently_by_each_seed(records, tmp_path):
    ((images, _),) = load(records, tmp_path, [[Draw(0, seed) for seed in range(8)]])
    assert len({image.numpy().tobytes() for image in images}) > 4


def test_loading_leaves_the_global_random_state_alone(records, tmp_path):
    before = torch.get_rng_state()
    load(records, tmp_path, batches(records))
    assert torch.equal(torch.get_rng_state(), before)


def test_test_images_come_in_order_and_all(records, tmp_path):
    def mean(image):
        return torch.tensor(np.asarray(image).mean(), dtype=torch.float32)

    loaded = list(loader.test_loader(records, tmp_path, mean, 5, 0))
    assert [places.tolist() for _, places in loaded] == [[*range(5)], [*range(5, 10)], [10, 11]]
    means = [np.asarray(Image.open(tmp_path / r.path)).mean() for r in records]
    np.testing.assert_allclose(torch.cat([images for images, _ in loaded]), means, rtol=1e-6)


def test_no_test_images_give_no_batches(tmp_path):
    assert list(loader.test_loader([], tmp_path, TRANSFORM, 5, 0)) == []


@pytest.mark.parametrize("fault", ["missing", "truncated", "text"])
def test_an_image_that_went_bad_is_named_with_the_remedy(records, tmp_path, fault):
    path = tmp_path / records[4].path
    content = {"truncated": path.read_bytes()[:200], "text": b"not an image"}
    path.unlink()
    if fault in content:
        path.write_bytes(content[fault])
    with pytest.raises(OSError, match=r"4\.png: cannot be read .*`dvc repro --force prepare`"):
        load(records, tmp_path, [[Draw(4, 0)]])


@pytest.mark.parametrize(("gpu", "cores", "workers"), [(False, 64, 0), (True, 64, 8), (True, 4, 4)])
def test_default_number_of_workers(monkeypatch, gpu, cores, workers):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(loader, "cores_per_process", lambda: cores)
    assert loader.default_workers() == workers
