"""One training of one variant: the paper's method as a loop (R20-R24, eq. 6).

World size is not a hyper-parameter (A27): a batch is P identities x K images however many processes
share it, and every process computes the losses of the whole batch from what all of them gathered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from torch import Tensor, nn
from tqdm import tqdm

from capnet.data.augment import augment, draw
from capnet.data.loader import default_workers, train_loader
from capnet.data.pixels import Bytes, FilePixels, kept_pixels
from capnet.data.sampler import Draw, epoch_batches, shard
from capnet.engine import checkpoint
from capnet.engine.assemble import network_of
from capnet.engine.work import TrainingError, WorkFolder
from capnet.machine import cores_per_process
from capnet.models.batchnorm import synchronise
from capnet.models.network import Output
from capnet.ops.cam import cam_varies
from capnet.ops.collective import gathered
from capnet.ops.losses import attention_loss, identity_loss, triplet_loss
from capnet.ops.schedule import learning_rate
from capnet.records import Record
from capnet.settings import Run

log = logging.getLogger(__name__)


def train(run: Run, records: Sequence[Record], root: Path, work: WorkFolder) -> None:
    """Train one network, from the start or from where an interruption left it.

    records: the train split, whose paths start from `root`; `work` holds the state and, at the
    end, the results; what was read of the images is kept beside it. Raises TrainingError,
    CheckpointError, WeightsError, ValueError or OSError; the state after the last whole epoch
    stays on disk.
    """
    accelerator = start(run)
    labels = [record.label for record in records]
    fresh = not (work.path / "state.pt").exists()
    network: nn.Module = network_of(run, max(labels) + 1, pretrained=fresh)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    checkpoint.require_space(work.path, 24 * parameters)  # weights and Adam's moments, old and new
    network = synchronise(network, accelerator.device).to(  # type: ignore[call-overload]
        memory_format=torch.channels_last
    )
    optimizer = torch.optim.Adam(network.parameters(), weight_decay=run.train.weight_decay)
    model, optimizer = accelerator.prepare(network, optimizer)
    network = accelerator.unwrap_model(model)
    progress = work.resume(network, optimizer, accelerator.scaler)
    files = FilePixels(records, root, run.model.height, run.model.width)
    pixels = kept_pixels(files, work.path.parent / "pixels")

    facts = {
        "processes": accelerator.num_processes,
        "parameters": parameters,
        "identities": max(labels) + 1,
        "images": len(labels),
    }
    for epoch in range(len(progress.history), run.train.epochs):
        began = time.perf_counter()
        rate = set_learning_rate(optimizer, run, epoch)
        batches = epoch_batches(
            labels, run.train.ids_per_batch, run.train.images_per_id, run.seed, epoch
        )
        means = train_epoch(accelerator, model, optimizer, run, pixels, labels, batches)
        row = {"epoch": epoch + 1, "learning_rate": rate, **means}
        progress.add(row, sum(map(len, batches)), time.perf_counter() - began)
        if accelerator.is_main_process:
            work.save(progress, network, optimizer, accelerator.scaler)
            work.describe(progress, accelerator.device, **facts)
            log.info("%s  %s", work.path.name, progress.line(run.train.epochs))
    if accelerator.is_main_process:
        work.finish(progress, network, accelerator.device, **facts)
    accelerator.end_training()


def start(run: Run) -> Accelerator:
    """Join the processes that were launched, use all cores, and seed the initial weights."""
    if PartialState().device.type == "cpu":
        if run.train.precision == "fp16":
            raise TrainingError("train.precision: fp16 needs a GPU; use bf16 or fp32")
        torch.set_num_threads(cores_per_process())  # the launcher leaves one to a process
    accelerator = Accelerator(mixed_precision=run.train.precision.replace("fp32", "no"))
    torch.manual_seed(run.seed)
    return accelerator


def set_learning_rate(optimizer: torch.optim.Optimizer, run: Run, epoch: int) -> float:
    """Give the optimiser the rate of an epoch (counted from 0, R24) and return it."""
    rate = learning_rate(
        epoch,
        base=run.train.learning_rate,
        warmup_epochs=run.train.warmup_epochs,
        warmup_factor=run.train.warmup_factor,
        decay_epochs=run.train.decay_epochs,
        decay_factor=run.train.decay_factor,
    )
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def train_epoch(
    accelerator: Accelerator,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    run: Run,
    pixels: FilePixels | Bytes,
    labels: Sequence[int],
    batches: Sequence[Sequence[Draw]],
) -> dict[str, float]:
    """One optimiser step per global batch; the means of what `objective` returns."""
    size, chosen = (run.model.height, run.model.width), run.train
    rank, world = accelerator.process_index, accelerator.num_processes
    mine = shard(batches, run.train.ids_per_batch, rank, world)
    loader = train_loader(pixels, labels, mine, default_workers())
    totals: dict[str, Tensor] = {}
    model.train()
    silent = None if accelerator.is_main_process else True  # None: unless on a terminal
    for batch in tqdm(loader, leave=False, disable=silent, unit="batch"):
        draws = draw(batch.seeds, *size, flip=chosen.flip, pad=chosen.pad, erasing=chosen.erasing)
        images = augment(batch.images.to(accelerator.device, non_blocking=True), draws)
        own = batch.numbers.to(accelerator.device)
        output = Output(*map(gathered, model(images.to(memory_format=torch.channels_last), own)))
        terms = objective(output, gathered(own), run)
        optimizer.zero_grad()
        accelerator.backward(terms["loss"])
        optimizer.step()
        for name, value in terms.items():
            totals[name] = totals.get(name, torch.zeros_like(value)) + value.detach()
    return {name: float(total) / len(batches) for name, total in totals.items()}


def objective(output: Output, labels: Tensor, run: Run) -> dict[str, Tensor]:
    """L = L_id + L_tri + lambda L_a (eq. 6, R16) of a global batch, its terms, and diagnostics."""
    settings = run.train
    terms = {
        "identity_loss": identity_loss(
            output.logits, labels, label_smoothing=settings.label_smoothing
        ),
        "triplet_loss": triplet_loss(output.features, labels, margin=settings.triplet_margin),
        "attention_loss": attention_loss(
            output.cam,
            output.spatial,
            (run.model.height, run.model.width),
            normalised=run.model.attention.cam_range == "normalised",
        ),
    }
    terms["loss"] = terms["identity_loss"] + terms["triplet_loss"]
    if settings.attention_weight:
        terms["loss"] = terms["loss"] + settings.attention_weight * terms["attention_loss"]
    terms["accuracy"] = (output.logits.argmax(1) == labels).float().mean()
    terms["cam_kept"] = cam_varies(output.cam).float().mean()
    return terms
