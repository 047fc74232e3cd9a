"""From a trained network and a test set to embeddings (A16, A29)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from capnet.data.augment import normalise
from capnet.data.loader import default_workers, test_loader
from capnet.data.pixels import FilePixels
from capnet.engine import checkpoint
from capnet.engine.assemble import network_of
from capnet.models.network import Network
from capnet.records import UNKNOWN, Record, of_split
from capnet.settings import Evaluate, Run


class Trained(NamedTuple):
    """A network as its training left it, and the run that made it."""

    network: Network
    run: Run
    epoch: int
    fingerprint: str  # of the training: settings, manifest, code
    device: torch.device


class Embedded(NamedTuple):
    """Query (Q) and gallery (G) images, the folder of their paths, and an embedding of each."""

    queries: list[Record]
    candidates: list[Record]
    root: Path
    query: Tensor  # (Q, C) float32, on the CPU
    gallery: Tensor  # (G, C)

    def ids(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Query pids, gallery pids, query camids, gallery camids: each int64.

        An image of an unknown camera gets a number that no other image has (A25): nothing of its
        person is left out of its list, and it is left out of nobody's.
        """
        records = [*self.queries, *self.candidates]
        free = count(max((record.camid for record in records), default=UNKNOWN) + 1)
        camids = torch.tensor([next(free) if r.camid == UNKNOWN else r.camid for r in records])
        return (
            torch.tensor([record.pid for record in self.queries]),
            torch.tensor([record.pid for record in self.candidates]),
            camids[: len(self.queries)],
            camids[len(self.queries) :],
        )


def load_trained(path: Path, manifest_sha256: str, run: Run) -> Trained:
    """Load a network of `train` onto the GPU, where there is one.

    Raises CheckpointError if it is unreadable, or not that of this manifest and this run.
    """
    state = checkpoint.load(path)
    identity = state.get("identity")
    if identity is None:
        raise checkpoint.CheckpointError(f"{path}: not a network of capnet; train it (`dvc repro`)")
    if identity["manifest_sha256"] != manifest_sha256:
        raise checkpoint.CheckpointError(
            f"{path} was trained on another state of the data set; train again (`dvc repro`)"
        )
    if Run.model_validate(identity["settings"]) != run:
        raise checkpoint.CheckpointError(
            f"{path} was trained with other settings; train again (`dvc repro`)"
        )
    network = network_of(run, len(state["network"]["classifier.weight"]), pretrained=False)
    network.load_state_dict(state["network"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    fingerprint = checkpoint.fingerprint(identity)
    return Trained(network.eval(), run, state["epoch"], fingerprint, device)


def embed_test(
    trained: Trained, records: Sequence[Record], root: Path, settings: Evaluate
) -> Embedded:
    """Embed the query and gallery images of a manifest; see `embed`."""
    query, gallery = of_split(records, "query"), of_split(records, "gallery")
    first, second = (embed(trained, part, root, settings) for part in (query, gallery))
    return Embedded(query, gallery, root, first, second)


@torch.inference_mode()
def embed(trained: Trained, records: Sequence[Record], root: Path, settings: Evaluate) -> Tensor:
    """Embeddings after the neck, of length 1 (A16): (N, C) float32 on the CPU, in order.

    With `flip_average`, that of the sum of an image's and its mirror image's embedding.
    """
    parts = []
    for images in inputs(trained, records, root, settings.batch_size):
        embedding = trained.network(images)
        if settings.flip_average:
            embedding = F.normalize(embedding + trained.network(images.flip(3)))
        parts.append(embedding.float().cpu())
    return torch.cat(parts)


def inputs(
    trained: Trained, records: Sequence[Record], root: Path, batch_size: int
) -> Iterator[Tensor]:
    """Yield images in order as the network takes them: (B, 3, H, W) on its device."""
    model = trained.run.model
    pixels = FilePixels(records, root, model.height, model.width)
    loader = test_loader(pixels, batch_size, default_workers())
    for batch in tqdm(loader, leave=False, disable=None, unit="batch"):
        images = normalise(batch.images.to(trained.device))
        yield images.to(memory_format=torch.channels_last)
