"""The network that a run's settings describe."""

from capnet.models.network import Network
from capnet.settings import Run


def network_of(run: Run, identities: int, *, pretrained: bool) -> Network:
    """Build the network of a run; `pretrained=False` where a checkpoint follows."""
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
