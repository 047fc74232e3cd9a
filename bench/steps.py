"""The steps that bench.training times: capnet's, the bare loop's, and the attention alone."""

from __future__ import annotations

import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from bench.bare import BareNetwork, bare_loss
from bench.clock import Clock
from capnet.data.augment import augment, draw
from capnet.engine.assemble import network_of
from capnet.engine.distributed import join
from capnet.engine.train import objective
from capnet.ops.attention import attend
from capnet.ops.cam import attention_loss
from capnet.settings import Run

IDENTITIES = 751  # Market-1501's
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
PARTS = ["augment", "backbone", "attention", "head, CAM, losses", "backward", "optimiser"]


class Work:
    """One precision and layout: its steps, on images (B, 3, H, W) uint8 that stay the same."""

    def __init__(self, run: Run, layout: str, batch: int) -> None:
        AcceleratorState._reset_state(reset_partial_state=True)  # a process keeps its precision
        self.run, self.layout = run, LAYOUTS[layout]
        self.accelerator = join(run)
        self.device = self.accelerator.device
        self.size = run.model.height, run.model.width
        self.pixels = torch.randint(0, 256, (batch, 3, *self.size), dtype=torch.uint8)
        self.labels = (torch.arange(batch) // run.train.images_per_id).to(self.device)
        self.images = self.augmented()
        ours = network_of(run, IDENTITIES, pretrained=False)
        self.model, self.optimizer = self.prepared(ours, fused=True)
        bare = BareNetwork(run.model.backbone, IDENTITIES)
        self.bare_model, self.bare_optimizer = self.prepared(bare)
        self.backbone, self.neck = ours.backbone, ours.neck
        with torch.no_grad(), self.accelerator.autocast():
            self.map = self.backbone(self.images)

    def prepared(self, network: nn.Module, **options: bool) -> tuple[nn.Module, torch.optim.Adam]:
        """Bring a network to its device, layout and precision, with its optimiser."""
        network = network.to(memory_format=self.layout).train()
        optimizer = torch.optim.Adam(
            network.parameters(), lr=1e-5, weight_decay=self.run.train.weight_decay, **options
        )
        prepared: tuple[nn.Module, torch.optim.Adam] = self.accelerator.prepare(network, optimizer)
        return prepared

    def augmented(self) -> Tensor:
        """Augment the images as a training does."""
        chosen = self.run.train
        seeds = torch.arange(len(self.pixels))
        draws = draw(seeds, *self.size, flip=chosen.flip, pad=chosen.pad, erasing=chosen.erasing)
        images = augment(self.pixels.to(self.device), draws)
        return images.to(memory_format=self.layout)

    def step(self, clock: Clock) -> None:
        """Take the step of capnet.engine.train, with the moments between its parts."""
        hooks = [
            self.backbone.register_forward_hook(lambda *_: clock.mark("attention")),
            self.neck.register_forward_pre_hook(lambda *_: clock.mark("head, CAM, losses")),
        ]
        clock.mark("augment")
        images = self.augmented()
        clock.mark("backbone")
        output = self.model(images, self.labels)
        terms = objective(output, self.labels, self.run)
        clock.mark("backward")
        self.optimizer.zero_grad()
        self.accelerator.backward(terms["loss"])
        clock.mark("optimiser")
        self.optimizer.step()
        clock.mark("end")
        for hook in hooks:
            hook.remove()

    def bare(self, clock: Clock) -> None:
        """Take the bare loop's step."""
        clock.mark("bare")
        loss = bare_loss(*self.bare_model(self.images), self.labels, self.run.train.triplet_margin)
        self.bare_optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.bare_optimizer.step()
        clock.mark("end")

    def attention(self, clock: Clock) -> None:
        """Do what the paper adds to a network that pools the last map, and its gradient."""
        x = self.map.requires_grad_()
        weight = torch.ones(x.shape[:2], device=self.device)
        clock.mark("attention alone")
        attended = attend(x, self.run.form)
        with torch.no_grad():
            cam = attended.target_map(weight)
        loss = attention_loss(cam, attended.spatial, self.size)
        (attended.pooled.sum() + 0.01 * loss).backward()
        clock.mark("end")
        x.grad = None
