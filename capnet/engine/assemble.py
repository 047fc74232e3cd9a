"""The network that a run's settings describe."""

import torch

from capnet.models.network import Network
from capnet.settings import Run


def network_of(run: Run, identities: int, *, pretrained: bool) -> Network:
    """Build the network of a run; `pretrained=False` where a checkpoint follows.

    From here on the process takes numbers below 1e-38 for 0. Weights that die decay to such
    numbers, and a CPU computes with them so slowly that a long training loses half of its speed or
    more. Threads take this over when they start, so it must come before the first computation.
    """
    torch.set_flush_denormal(True)
    model = run.model
    return Network(
        identities,
        run.form,
        backbone=model.backbone,
        weights=model.weights if pretrained else None,
        last_stride=model.last_stride,
        neck=model.neck,
        sigma=model.attention.sigma,
        residual=model.attention.residual,
        cam_from=model.attention.cam_from,
        cam_gradient=model.attention.cam_gradient,
    )
