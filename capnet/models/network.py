"""CAPNet: backbone, attention, pooling, neck and a classifier that is a 1x1 convolution."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from capnet.forms import Form
from capnet.models.backbone import build_backbone
from capnet.models.batchnorm import Neck
from capnet.ops.attention import Attended, attend
from capnet.ops.attention_maps import normalise
from capnet.ops.cam import target_map


class Output(NamedTuple):
    """What the losses need of a batch (B images, K identities, C channels, h x w map points)."""

    features: Tensor  # (B, C) pooled, before the neck
    logits: Tensor  # (B, K)
    cam: Tensor  # (B, 1, h, w) of each image's own identity
    spatial: Tensor  # (B, 1, h, w)


class Maps(NamedTuple):
    """What Fig. 2 shows of an image, each (B, h, w) in [0, 1]."""

    cam: Tensor  # of the identity with the largest logit, on the attended map
    spatial: Tensor  # A_s
    unattended: Tensor  # the same identity's CAM before the attention


class Network(nn.Module):
    """The paper's network for `identities` training classes, in any form of R18.

    Without labels, `forward` gives what retrieval uses; with labels, what the losses need.
    """

    def __init__(
        self,
        identities: int,
        form: Form,
        *,
        backbone: str,
        weights: str | None = None,
        last_stride: int = 1,
        neck: Literal["bnneck", "map2d"] = "bnneck",
        sigma: float = math.pi,
        residual: bool = False,
        cam_from: Literal["attended", "unattended"] = "attended",
        cam_gradient: bool = False,
    ) -> None:
        super().__init__()
        self.form: Form = form
        self.sigma, self.residual = sigma, residual
        self.cam_from, self.cam_gradient = cam_from, cam_gradient
        self.normalise_map = neck == "map2d"
        self.backbone = build_backbone(backbone, weights, last_stride)
        channels = [m for m in self.backbone.modules() if isinstance(m, nn.BatchNorm2d)][-1]
        self.neck = Neck(channels.num_features)
        self.classifier = nn.Conv2d(channels.num_features, identities, 1, bias=False)  # R3
        nn.init.normal_(self.classifier.weight, std=0.001)  # A30

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Output | Tensor:
        """Images (B, 3, H, W), normalised, and labels (B,) -> Output; without labels -> (B, C).

        The latter is the test embedding: after the neck, of length 1 (A16, A29).
        """
        x = self.backbone(images)  # (B, C, h, w)
        with torch.autocast(images.device.type, enabled=False):
            attended = self._attend(x)
            features, embedding, scale = self._pool(attended)
            if labels is None:
                return F.normalize(embedding)
            logits = self.logits(embedding)
            with torch.set_grad_enabled(self.cam_gradient and torch.is_grad_enabled()):
                weight = self.class_weight(scale)[labels]
                if self.cam_from == "attended":
                    cam = attended.target_map(weight)  # R4
                else:
                    cam = target_map(attended.source, weight)
            return Output(features, logits, cam, attended.spatial)

    @torch.no_grad()
    def maps(self, images: Tensor) -> Maps:
        """Return the maps of Fig. 2 for images of people the network may not know (A29)."""
        x = self.backbone(images)
        attended = self._attend(x)
        _, embedding, scale = self._pool(attended)
        top = self.logits(embedding).argmax(1)
        weight = self.class_weight(scale)[top]
        cam, unattended = (
            normalise(cam)[:, 0]
            for cam in (attended.target_map(weight), target_map(attended.source, weight))
        )
        return Maps(cam, attended.spatial[:, 0], unattended)

    def logits(self, embedding: Tensor) -> Tensor:
        """Return what the classifier gives (B, K) for embeddings (B, C).

        On one point a 1x1 convolution is a product of matrices, which is faster where it is told.
        """
        return F.linear(embedding, self.classifier.weight[:, :, 0, 0])

    def class_weight(self, scale: Tensor) -> Tensor:
        """Return the weights (K, C) that turn a feature map into CAMs, the neck's scale (C,) in.

        GAP(conv(X)) = conv(GAP(X)), and the neck is affine per channel, so "a convolution before
        GAP" holds up to a constant per map, which eq. 2 removes (A11).
        """
        return self.classifier.weight[:, :, 0, 0] * scale

    def _attend(self, x: Tensor) -> Attended:
        return attend(x, self.form, sigma=self.sigma, residual=self.residual)

    def _pool(self, attended: Attended) -> tuple[Tensor, Tensor, Tensor]:
        """Features before the neck (B, C), embedding after it (B, C), the neck's scale (C,)."""
        if self.normalise_map:
            normalised, scale = self.neck(attended.features)
            return attended.pooled, normalised.mean((2, 3)), scale
        embedding, scale = self.neck(attended.pooled)
        return attended.pooled, embedding, scale
