"""The network of every form against the paper's own description (R3-R6, R14, A5-A16, A29)."""

from typing import get_args

import numpy as np
import pytest
import torch

from capnet.forms import Form
from capnet.models.network import Network
from capnet.ops.cam import class_maps
from capnet.ops.losses import attention_loss
from tests import reference

FORMS = get_args(Form)
LABELS = torch.tensor([0, 0, 1, 1, 2, 2])
SIZE = (64, 32)


def build(form: Form = "s_times_c", **options: object) -> Network:
    """A network in float64 whose classifier and statistics are no longer those it began with."""
    torch.manual_seed(1)
    network = Network(3, form, backbone="resnet10", **options).double()  # type: ignore[arg-type]
    with torch.no_grad():
        network.classifier.weight.normal_(std=0.1)
        network.neck.weight.uniform_(0.5, 2)
        network.neck.running_mean.uniform_(0, 1)
        network.neck.running_var.uniform_(0.5, 2)
    return network


def images(count: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(count, 3, *SIZE, generator=generator, dtype=torch.float64)


def test_no_form_adds_a_parameter():
    sizes = [
        {name: p.shape for name, p in Network(3, form, backbone="resnet10").named_parameters()}
        for form in FORMS
    ]
    assert all(size == sizes[0] for size in sizes)  # R6
    outside = {name for name in sizes[0] if not name.startswith("backbone.")}
    assert outside == {"neck.weight", "classifier.weight"}


def test_all_forms_start_from_the_same_weights():
    states = []
    for form in ("baseline", "s_times_c"):
        torch.manual_seed(5)
        states.append(Network(3, form, backbone="resnet10").state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert states[0]["classifier.weight"].std() == pytest.approx(0.001, rel=0.1)  # A30


@pytest.mark.parametrize("neck", ["bnneck", "map2d"])
@pytest.mark.parametrize("form", FORMS)
def test_an_output_is_what_the_paper_describes(form, neck):
    network = build(form, neck=neck)
    out = network(images(), LABELS)
    # The same from the backbone's map on, by the oracles, with this batch's statistics.
    x = build(form, neck=neck).backbone(images()).detach().numpy()
    y, spatial, _ = reference.attend(x, form)
    np.testing.assert_allclose(out.features.detach(), y.mean((2, 3)), atol=1e-10)
    if spatial is not None:
        np.testing.assert_allclose(out.spatial.detach(), spatial, atol=1e-10)
    pooled = y.mean((2, 3)) if neck == "bnneck" else y.transpose(0, 2, 3, 1).reshape(-1, 512)
    factor = network.neck.weight.detach().numpy() / np.sqrt(pooled.var(0) + 1e-5)
    normalised = (y - pooled.mean(0)[:, None, None]) * factor[:, None, None]
    weight = class_weight(network)
    logits = reference.full_class_maps(normalised, weight).mean((2, 3))  # R3
    np.testing.assert_allclose(out.logits.detach(), logits, atol=1e-9)
    cam = reference.cam(y, weight, LABELS.tolist(), factor)  # R4, A11
    np.testing.assert_allclose(out.cam, cam, atol=1e-9)


def class_weight(network: Network) -> np.ndarray:
    return network.classifier.weight.detach()[:, :, 0, 0].numpy()


def running_factor(network: Network) -> np.ndarray:
    factor = network.neck.weight / (network.neck.running_var + 1e-5).sqrt()
    return factor.detach().numpy()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("neck", ["bnneck", "map2d"])
def test_pooled_class_maps_are_the_logits_up_to_a_constant_per_class(neck, training):
    network = build(neck=neck).train(training)
    x = images()
    with torch.no_grad():
        attended = network._attend(network.backbone(x))
        _, embedding, factor = network._pool(attended)
        maps = class_maps(attended.features, network.class_weight(factor))  # (B, K, h, w)
        logits = network.classifier(embedding[:, :, None, None]).flatten(1)
    offset = logits - maps.mean((2, 3))
    torch.testing.assert_close(offset, offset[:1].expand_as(offset))


def test_both_necks_agree_on_equal_statistics_and_differ_in_training():
    with torch.no_grad():
        evaluated = [build(neck=neck).eval()(images()) for neck in ("bnneck", "map2d")]
        trained = [build(neck=neck)(images(), LABELS) for neck in ("bnneck", "map2d")]
    torch.testing.assert_close(*evaluated)
    torch.testing.assert_close(trained[0].features, trained[1].features)
    assert (trained[0].logits - trained[1].logits).abs().max() > 0.01


def test_c_multiplies_features_by_the_channel_weight_alone():
    network = build("c").eval()
    with torch.no_grad():
        x = network.backbone(images())
        out = network(images(), LABELS)
    a_c = reference.channel_attention(x, reference.spatial_attention(x))
    np.testing.assert_allclose(out.features, (x * torch.tensor(a_c)).mean((2, 3)), atol=1e-10)
    np.testing.assert_allclose(out.spatial, reference.spatial_attention(x), atol=1e-10)  # A6


@pytest.mark.parametrize("both_sides", [False, True])
def test_the_cam_learns_from_the_attention_loss_only_when_asked(both_sides):
    network = build(cam_gradient=both_sides)
    out = network(images(), LABELS)
    attention_loss(out.cam, out.spatial, SIZE).backward()
    assert (network.classifier.weight.grad is not None) == both_sides  # A9
    assert network.backbone.conv1.weight.grad.abs().sum() > 0  # R14: through A_s in any case


def test_nothing_asks_for_gradients_where_they_are_off():
    with torch.no_grad():
        out = build(cam_gradient=True)(images(), LABELS)
    assert not any(part.requires_grad for part in out)


def test_the_cam_can_be_taken_before_the_attention():
    # In float32, to which the backbone's map is brought under autocast.
    attended, before = (build(cam_from=side).float().eval() for side in ("attended", "unattended"))
    with torch.no_grad():
        x = before.backbone(images().float())
        out = before(images().float(), LABELS)
        other = attended(images().float(), LABELS)
    cam = reference.cam(x, class_weight(before), LABELS.tolist(), running_factor(before))
    np.testing.assert_allclose(out.cam, cam, rtol=1e-3, atol=1e-4)  # A10
    torch.testing.assert_close(out.logits, other.logits)
    assert (out.cam - other.cam).abs().max() > 1e-3


@pytest.mark.parametrize("neck", ["bnneck", "map2d"])
def test_an_embedding_is_the_necks_output_at_length_one(neck):
    network = build(neck=neck).eval()
    with torch.no_grad():
        embedding = network(images())
        features = network(images(), LABELS).features
    bn = torch.nn.functional.batch_norm(
        features, network.neck.running_mean, network.neck.running_var, network.neck.weight
    )
    torch.testing.assert_close(embedding, bn / bn.norm(dim=1, keepdim=True))  # A16
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(6, dtype=torch.float64))


@pytest.mark.parametrize("form", FORMS)
def test_an_embedding_does_not_depend_on_its_batch(form):
    network = build(form).eval()
    with torch.no_grad():
        together = network(images())
        alone = torch.cat([network(image[None]) for image in images()])
    torch.testing.assert_close(alone, together)


def test_autocast_leaves_attention_and_neck_in_float32():
    network = build().float()
    with torch.autocast("cpu", torch.bfloat16):
        out = network(images().float(), LABELS)
    assert {part.dtype for part in out} == {torch.float32}  # N4


@pytest.mark.parametrize("form", FORMS)
def test_maps_for_figures_show_the_largest_identity(form):
    network = build(form).eval()
    maps = network.maps(images())
    with torch.no_grad():
        x = network.backbone(images())
        top = network(images(), LABELS).logits.argmax(1)
        out = network(images(), top)
    for each in maps:
        assert each.shape == (6, 4, 2)
        assert each.amin((1, 2)).eq(0).all()
        assert each.amax((1, 2)).eq(1).all()
    np.testing.assert_allclose(maps.cam, reference.normalise(out.cam[:, 0]), atol=1e-10)
    torch.testing.assert_close(maps.spatial, out.spatial[:, 0])
    before = reference.cam(x, class_weight(network), top.tolist(), running_factor(network))
    np.testing.assert_allclose(maps.unattended, reference.normalise(before[:, 0]), atol=1e-10)
