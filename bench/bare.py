"""The yardstick of bench.training: a loop as one writes it without capnet, in plain torch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.resnet import BasicBlock, ResNet


class BareNetwork(nn.Module):
    """A torchvision ResNet of last stride 1, GAP, batch normalisation and a linear classifier."""

    def __init__(self, backbone: str, identities: int) -> None:
        super().__init__()
        ten = backbone == "resnet10"
        self.resnet = ResNet(BasicBlock, [1, 1, 1, 1]) if ten else get_model(backbone)
        block, channels = self.resnet.layer4[0], self.resnet.fc.in_features
        (block.conv2 if hasattr(block, "conv3") else block.conv1).stride = (1, 1)
        block.downsample[0].stride = (1, 1)
        self.resnet.fc = nn.Identity()
        self.neck = nn.BatchNorm1d(channels)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(channels, identities, bias=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) -> pooled features (B, C), logits (B, K)."""
        features = self.resnet(images)
        return features, self.classifier(self.neck(features))


def bare_loss(features: Tensor, logits: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Cross entropy and batch-hard triplet loss."""
    distance = torch.cdist(features, features)
    same = labels[:, None] == labels
    positive = torch.where(same, distance, 0).max(1).values
    negative = torch.where(same, torch.inf, distance).min(1).values
    return F.cross_entropy(logits, labels) + F.relu(positive - negative + margin).mean()
