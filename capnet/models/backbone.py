"""ResNet stages 1-4 from torchvision, and the weights they start from."""

from __future__ import annotations

import io
import lzma
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.models.resnet import BasicBlock, ResNet

from capnet.errors import UserError


class WeightsError(UserError):
    """The initial weights cannot be had; the message names them and the remedy."""


def build_backbone(name: str, weights: str | None, last_stride: int) -> nn.Sequential:
    """Build a ResNet up to its last feature map (R1-R2).

    name: torchvision's, or resnet10 with one block a stage. weights (A30): torchvision's name of
    ImageNet weights, a checkpoint file (.pth or .pth.xz) with torchvision's key names, or None.
    last_stride: 1 keeps the resolution of stage 3, so 384x128 pixels give 24x8 points.
    """
    network = ResNet(BasicBlock, [1, 1, 1, 1]) if name == "resnet10" else get_model(name)
    if weights is not None:
        _load(network, name, weights)
    if last_stride == 1:
        block = network.layer4[0]
        strided = block.conv1 if isinstance(block, BasicBlock) else block.conv2
        strided.stride = block.downsample[0].stride = (1, 1)
    stages = [part for part in network.named_children() if part[0] not in ("avgpool", "fc")]
    return nn.Sequential(OrderedDict(stages))


def _load(network: nn.Module, name: str, weights: str) -> None:
    path = Path(weights)
    if path.suffix in (".pth", ".pt", ".xz"):
        state = _read(path)
    elif name == "resnet10" or weights not in get_model_weights(name).__members__:
        raise WeightsError(
            f"model.weights: {weights!r} is neither a checkpoint file (.pth, .pt, .pth.xz) nor a "
            f"name that torchvision has for {name}; use null to start from random weights"
        )
    else:
        try:
            state = get_model_weights(name)[weights].get_state_dict(check_hash=True)
        except (OSError, RuntimeError) as error:  # no connection; a download cut short
            raise WeightsError(
                f"model.weights: {weights} of {name} could not be downloaded ({error}); name a "
                "checkpoint file instead"
            ) from error
    state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    try:
        keys = network.load_state_dict(state, strict=False)
        faults = [
            key for key in (*keys.missing_keys, *keys.unexpected_keys) if not key.startswith("fc.")
        ]
    except RuntimeError as error:  # its first line is a heading
        faults = [line.strip() for line in str(error).splitlines()[1:]]
    if faults:
        raise WeightsError(
            f"model.weights: {weights} does not fit {name}: {len(faults)} keys are missing, "
            f"unknown or of another shape, first {faults[0]}; name a checkpoint of {name} with "
            "torchvision's key names, or null"
        )


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"model.weights: no file {path}; put the checkpoint there")
    try:
        content = path.read_bytes()
        if path.suffix == ".xz":
            content = lzma.decompress(content)
        state: dict[str, Tensor] = torch.load(
            io.BytesIO(content), map_location="cpu", weights_only=True
        )
        return dict(state)
    except Exception as error:
        raise WeightsError(
            f"model.weights: {path} is not a readable checkpoint of tensors "
            f"({type(error).__name__}); get it again, or name another"
        ) from error
