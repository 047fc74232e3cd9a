"""One training of one variant: the paper's method as a loop (R20-R24, eq. 6).

World size is not a hyper-parameter (A27): a batch is P identities x K images however many processes
share it, and every process computes the losses of the whole batch from what all of them gathered.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from capnet.data.augment import augment, draw
from capnet.data.loader import default_workers, train_loader
from capnet.data.pixels import Bytes, FilePixels, kept_pixels
from capnet.data.sampler import Draw, epoch_batches, shard
from capnet.engine.distributed import leave, memory_explained, require_same_start
from capnet.engine.interrupt import StoppedError, StopRequest
from capnet.engine.learner import Learner, learner_of
from capnet.engine.ledger import Ledger, NotFiniteError
from capnet.engine.work import WorkFolder
from capnet.models.network import Output
from capnet.ops.cam import cam_varies
from capnet.ops.losses import attention_loss, identity_loss, triplet_loss
from capnet.ops.schedule import learning_rate
from capnet.records import Record
from capnet.settings import Run

log = logging.getLogger(__name__)


def train(run: Run, records: Sequence[Record], root: Path, work: WorkFolder) -> None:
    """Train one network, from the start or from where an interruption left it.

    records: the train split, whose paths start from `root`; `work` holds the state and, at the
    end, the results; what was read of the images is kept beside it. Raises StoppedError when
    SIGTERM or Ctrl-C asked for it, after saving the state. Raises TrainingError, CheckpointError,
    WeightsError, ValueError or OSError; the state that was saved last is then still on disk.
    """
    labels = [record.label for record in records]
    learner = learner_of(run, max(labels) + 1, work.path)
    progress = work.resume(*learner.state)
    require_same_start(progress, learner.device)
    files = FilePixels(records, root, run.model.height, run.model.width)
    pixels = kept_pixels(files, work.path.parent / "pixels")
    facts = {
        "processes": learner.accelerator.num_processes,
        "parameters": learner.parameters,
        "identities": max(labels) + 1,
        "images": len(labels),
    }
    main = learner.accelerator.is_main_process
    with StopRequest() as request, memory_explained(run):
        for epoch in range(len(progress.history), run.train.epochs):
            began, ledger = time.perf_counter(), Ledger(progress.batches)
            rate = set_learning_rate(learner.optimizer, run, epoch)
            batches = epoch_batches(
                labels, run.train.ids_per_batch, run.train.images_per_id, run.seed, epoch
            )
            try:
                train_epoch(learner, run, pixels, labels, batches, ledger, request)
            except NotFiniteError as fault:
                images = [(records[draw.index].path, draw.seed) for draw in batches[fault.batch]]
                raise work.not_finite(fault, epoch, rate, images) from None
            progress.spend(ledger.added * len(batches[0]), time.perf_counter() - began)
            if len(ledger.rows) == len(batches):
                progress.close({"epoch": epoch + 1, "learning_rate": rate, **ledger.means()})
            if main:
                work.save(progress, *learner.state)
                work.describe(progress, learner.device, **facts)
                log.info("%s  %s", work.path.name, progress.line(run.train.epochs))
            if ledger.stop and len(progress.history) < run.train.epochs:
                learner.accelerator.wait_for_everyone()  # the end of one ends all under a launcher
                raise StoppedError(f"{progress.place}: stopped as asked; start it again to go on")
    if main and not work.finished:
        work.finish(progress, learner.network, learner.device, **facts)
    leave(learner.accelerator)


def set_learning_rate(optimizer: torch.optim.Optimizer, run: Run, epoch: int) -> float:
    """Give the optimiser the rate of an epoch (counted from 0, R24) and return it."""
    chosen = run.train
    rate = learning_rate(
        epoch,
        base=chosen.learning_rate * chosen.rate_scale,
        warmup_epochs=chosen.warmup_epochs,
        warmup_factor=chosen.warmup_factor,
        decay_epochs=chosen.decay_epochs,
        decay_factor=chosen.decay_factor,
    )
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def train_epoch(
    learner: Learner,
    run: Run,
    pixels: FilePixels | Bytes,
    labels: Sequence[int],
    batches: Sequence[Sequence[Draw]],
    ledger: Ledger,
    request: StopRequest,
) -> None:
    """One optimiser step per `train.accumulate` batches, until their end or until asked to stop.

    `ledger` holds what `objective` returned for the batches before, and takes those of these.
    Raises NotFiniteError.
    """
    size, chosen, first = (run.model.height, run.model.width), run.train, len(ledger.rows)
    accelerator, device = learner.accelerator, learner.device
    mine = shard(
        batches[first:], chosen.ids_per_batch, accelerator.process_index, accelerator.num_processes
    )
    loader = train_loader(pixels, labels, mine, default_workers())
    silent = None if accelerator.is_main_process else True  # None: unless on a terminal
    learner.model.train()
    learner.optimizer.zero_grad()
    shown = tqdm(
        loader, leave=False, disable=silent, unit="batch", initial=first, total=len(batches)
    )
    for number, batch in enumerate(shown, start=first):
        draws = draw(batch.seeds, *size, flip=chosen.flip, pad=chosen.pad, erasing=chosen.erasing)
        images = augment(batch.images.to(device, non_blocking=True), draws)
        group = batches[number - number % chosen.accumulate :][: chosen.accumulate]
        steps = number % chosen.accumulate == len(group) - 1
        with nullcontext() if steps else accelerator.no_sync(learner.model):
            terms = objective(*learner.outputs(images, batch.numbers.to(device)), run)
            accelerator.backward(terms["loss"] / len(group))
        if steps:
            learner.optimizer.step()
            learner.optimizer.zero_grad()
        ledger.add(terms, request.noted)
        if steps and ledger.stop:
            break
    ledger.read()


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
