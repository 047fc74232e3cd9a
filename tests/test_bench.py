"""The bench of the training compares like with like."""

import torch

from bench.bare import BareNetwork, bare_loss
from bench.clock import Clock
from capnet.forms import Form
from capnet.models.network import Network
from capnet.ops.losses import identity_loss, triplet_loss

FORM: Form = "baseline"


def test_the_bare_loop_has_the_same_network_and_losses():
    ours = Network(5, FORM, backbone="resnet10")
    bare = BareNetwork("resnet10", 5)
    names = [name for name, _ in bare.resnet.named_parameters()]
    bare.resnet.load_state_dict(ours.backbone.state_dict())
    assert names == [name for name, _ in ours.backbone.named_parameters()]
    bare.classifier.weight.data = ours.classifier.weight.data[:, :, 0, 0]
    images, labels = torch.randn(6, 3, 64, 32), torch.tensor([0, 0, 1, 1, 4, 4])
    output = ours(images, labels)
    features, logits = bare(images)
    torch.testing.assert_close(features, output.features)
    torch.testing.assert_close(logits, output.logits)
    losses = identity_loss(logits, labels) + triplet_loss(features, labels, margin=0.3)
    torch.testing.assert_close(bare_loss(features, logits, labels, 0.3), losses)


def test_a_clock_gives_each_part_its_time():
    clock = Clock(torch.device("cpu"))
    clock.moments = [("one", 1.0), ("two", 1.5), ("end", 3.5)]
    assert clock.read() == {"one": 0.5, "two": 2.0}
    assert clock.moments == []
