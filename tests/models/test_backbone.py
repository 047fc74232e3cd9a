"""Resolution and weights of the backbone (R1, R2, A30)."""

import lzma
import urllib.error
from pathlib import Path

import pytest
import torch

from capnet.models.backbone import WeightsError, build_backbone

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
COMPRESSED = SHARED / "resnet50-imagenet-pq" / "resnet50-imagenet-pq.pth.xz"


@pytest.mark.parametrize(
    ("name", "last_stride", "size", "shape"),
    [
        ("resnet50", 1, (384, 128), (2048, 24, 8)),  # R2
        ("resnet50", 2, (384, 128), (2048, 12, 4)),
        ("resnet101", 1, (256, 128), (2048, 16, 8)),
        ("resnet10", 1, (64, 32), (512, 4, 2)),
        ("resnet18", 2, (64, 32), (512, 2, 1)),
        ("resnet34", 1, (96, 48), (512, 6, 3)),
    ],
)
def test_the_map_has_the_papers_resolution(name, last_stride, size, shape):
    with torch.device("meta"):  # shapes without the work
        backbone = build_backbone(name, None, last_stride)
        assert backbone(torch.empty(2, 3, *size)).shape == (2, *shape)


def test_the_map_follows_a_relu():
    features = build_backbone("resnet10", None, 1).eval()(torch.randn(2, 3, 64, 32))
    assert features.min() == 0  # A2: what the attention relies on


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint with torchvision's keys, and the backbone that it came from."""
    backbone = build_backbone("resnet10", None, 1)
    for number, tensor in enumerate(backbone.state_dict().values()):
        tensor.fill_(number)  # compresses fast
    state = backbone.state_dict() | {
        "fc.weight": torch.ones(1000, 512),
        "fc.bias": torch.ones(1000),
    }
    torch.save(state, tmp_path / "resnet10.pth")
    return tmp_path / "resnet10.pth", backbone.state_dict()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_gives_its_tensors_and_its_classifier_is_left_out(checkpoint, compressed):
    path, expected = checkpoint
    if compressed:
        content = path.read_bytes()
        path = path.with_name("resnet10.pth.xz")
        path.write_bytes(lzma.compress(content, preset=0))
    loaded = build_backbone("resnet10", str(path), 1).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[key], expected[key]) for key in expected)


def test_counters_of_batches_may_be_absent_as_in_old_checkpoints(checkpoint):
    path, expected = checkpoint
    state = {key: value for key, value in expected.items() if not key.endswith("batches_tracked")}
    torch.save(state, path)
    loaded = build_backbone("resnet10", str(path), 1).state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in state.items())


@pytest.mark.parametrize("fault", ["absent", "text", "truncated", "bad_xz", "tensor", "empty"])
def test_an_unusable_file_is_named_with_the_remedy(checkpoint, fault):
    path, _ = checkpoint
    if fault == "absent":
        path.unlink()
    elif fault == "text":
        path.write_text("<html>404</html>")
    elif fault == "truncated":
        path.write_bytes(path.read_bytes()[:100_000])
    elif fault == "bad_xz":
        path = path.rename(path.with_name("resnet10.pth.xz"))
    elif fault == "tensor":
        torch.save(torch.rand(3), path)
    else:
        path.write_bytes(b"")
    with pytest.raises(WeightsError, match=r"^model\.weights: .*resnet10\.pth.*(put|get|name) "):
        build_backbone("resnet10", str(path), 1)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])  # keys missing; shapes wrong as well
def test_a_checkpoint_of_another_architecture_is_refused(checkpoint, name):
    path, _ = checkpoint
    with pytest.raises(WeightsError) as error:
        build_backbone(name, str(path), 1)
    assert f"model.weights: {path} does not fit {name}" in str(error.value)
    assert f"name a checkpoint of {name}" in str(error.value)
    assert len(str(error.value)) < 500


def test_a_checkpoint_with_another_projects_keys_is_refused(checkpoint):
    path, state = checkpoint
    torch.save({"state_dict": state}, path)
    with pytest.raises(WeightsError, match="does not fit resnet10"):
        build_backbone("resnet10", str(path), 1)


@pytest.mark.parametrize("name", ["resnet10", "resnet50"])
def test_an_unknown_name_of_weights_is_refused(name):
    with pytest.raises(WeightsError, match=r"model\.weights: 'IMAGENET22K' .* use null"):
        build_backbone(name, "IMAGENET22K", 1)


@pytest.mark.parametrize(
    "fault",
    [urllib.error.URLError("no route to host"), RuntimeError('invalid hash value (expected "x")')],
)
def test_a_failed_download_is_explained(monkeypatch, fault):
    def fail(*arguments, **options):
        raise fault

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(WeightsError, match=r"model\.weights: IMAGENET1K_V1 .*downloaded.* name a"):
        build_backbone("resnet50", "IMAGENET1K_V1", 1)


def test_a_downloads_bytes_are_checked(monkeypatch):
    seen = {}

    def download(url, **options):
        seen.update(options)
        return build_backbone("resnet18", None, 1).state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    build_backbone("resnet18", "IMAGENET1K_V1", 1)
    assert seen["check_hash"]  # a download cut short would otherwise stay in the cache


@pytest.mark.skipif(not COMPRESSED.is_file(), reason=f"needs {COMPRESSED.name} in shared/data")
def test_real_imagenet_weights_load():
    backbone = build_backbone("resnet50", str(COMPRESSED), 1).eval()
    with torch.inference_mode():
        features = backbone(torch.randn(1, 3, 64, 32))
    assert features.shape == (1, 2048, 4, 2)
    assert 0.01 < features.mean() < 10  # a trained network keeps its signal's scale
