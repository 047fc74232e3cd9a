"""From a model.pt and images to embeddings (A16, A29)."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from capnet.engine import checkpoint
from capnet.engine.checkpoint import CheckpointError
from capnet.engine.embed import embed, embed_test, load_trained
from capnet.records import of_split
from tests.engine.tiny import EVALUATE, run_of


@pytest.fixture(scope="module")
def trained(model):
    return load_trained(model, "m", run_of())


@pytest.fixture
def queries(people):
    return of_split(people[0], "query")


def settings(**changes):
    return EVALUATE.model_copy(update=changes)


def test_a_network_comes_back_with_its_run(trained, model):
    state = checkpoint.load(model)
    assert trained.run == run_of()
    assert trained.fingerprint == checkpoint.fingerprint(state["identity"])
    assert not trained.network.training
    ours = trained.network.state_dict()
    assert ours.keys() == state["network"].keys()
    assert all(torch.equal(ours[key].cpu(), value) for key, value in state["network"].items())


def test_a_network_of_another_manifest_is_refused(model):
    with pytest.raises(CheckpointError, match=r"model\.pt was trained on another state .* train"):
        load_trained(model, "other", run_of())


def test_a_network_of_another_run_is_refused(model):
    with pytest.raises(CheckpointError, match=r"model\.pt was trained with other settings; train"):
        load_trained(model, "m", run_of().model_copy(update={"seed": 99}))


def test_a_network_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"epoch_007\.pt: not found; train first"):
        load_trained(tmp_path / "epoch_007.pt", "m", run_of())


def test_an_embedding_is_the_networks_of_the_normalised_pixels(trained, queries, people):
    ours = embed(trained, queries, people[1], settings())
    assert (ours.shape, ours.dtype, ours.device.type) == ((4, 512), torch.float32, "cpu")
    for record, row in zip(queries, ours, strict=True):
        pixels = np.asarray(Image.open(people[1] / record.path), dtype=np.float64) / 255
        pixels = (pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        image = torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32)
        with torch.no_grad():
            expected = trained.network(image.to(trained.device))[0]
        torch.testing.assert_close(row, expected.cpu(), rtol=1e-4, atol=1e-5)
        assert row.norm().item() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_the_batch_size_changes_neither_order_nor_value(trained, people, batch_size):
    gallery = of_split(people[0], "gallery")
    expected = torch.cat([embed(trained, [r], people[1], settings()) for r in gallery])
    ours = embed(trained, gallery, people[1], settings(batch_size=batch_size))
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_with_flip_average_a_mirrored_image_is_the_same(trained, queries, people, tmp_path):
    for record in queries:
        (tmp_path / record.path).parent.mkdir(exist_ok=True)
        ImageOps.mirror(Image.open(people[1] / record.path)).save(tmp_path / record.path)
    for flip_average, same in ((True, True), (False, False)):
        ours, mirrored = (
            embed(trained, queries, root, settings(flip_average=flip_average))
            for root in (people[1], tmp_path)
        )
        assert torch.allclose(ours, mirrored, atol=1e-5) == same
        torch.testing.assert_close(ours.norm(dim=1), torch.ones(4))


def test_a_test_set_is_its_queries_and_its_gallery(trained, people):
    embedded = embed_test(trained, people[0], people[1], settings())
    assert [r.split for r in embedded.queries] == ["query"] * 4
    assert (len(embedded.query), len(embedded.gallery)) == (4, 14)
    query_pids, gallery_pids, query_camids, gallery_camids = embedded.ids()
    assert query_pids.tolist() == [5, 6, 7, 8]
    assert gallery_pids.tolist() == [r.pid for r in embedded.candidates]
    assert set(gallery_pids.tolist()) == {-1, 0, 5, 6, 7, 8}
    assert query_camids.tolist() == [1] * 4
    assert gallery_camids.tolist() == [r.camid for r in embedded.candidates]
    alone = embed(trained, embedded.candidates[3:4], people[1], settings())
    torch.testing.assert_close(embedded.gallery[3:4], alone, rtol=1e-4, atol=1e-5)
