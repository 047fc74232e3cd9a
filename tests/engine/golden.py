"""Three optimiser steps of each form in float64: what a change of the computation would change.

`python -m tests.engine.golden` shows the largest relative difference from golden.json per form and
writes the new numbers. Run it only after a change that is meant to change results, and say why.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from capnet.engine.assemble import network_of
from capnet.engine.train import objective, set_learning_rate
from capnet.forms import Form
from tests.engine.tiny import run_of

FORMS = get_args(Form)
STORED = Path(__file__).with_name("golden.json")
Numbers = dict[str, list[float]]


def three_steps(form: Form) -> Numbers:
    """The loss terms of each step, and how an unseen image is embedded after them."""
    run = run_of(form)
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((4, 3, 6, 64, 32)))
    labels = torch.tensor([0, 0, 2, 2, 3, 3])
    torch.manual_seed(run.seed)
    network = network_of(run, 4, pretrained=False).double()
    optimizer = torch.optim.Adam(network.parameters(), weight_decay=run.train.weight_decay)
    numbers: Numbers = {}
    for step in range(3):
        set_learning_rate(optimizer, run, step)
        terms = objective(network(images[step].transpose(0, 1), labels), labels, run)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        for name in ("identity_loss", "triplet_loss", "attention_loss", "loss"):
            numbers.setdefault(name, []).append(terms[name].item())
    with torch.no_grad():
        embedding = network.eval()(images[3].transpose(0, 1))
    numbers["embedding"] = embedding[0, ::64].tolist()
    return numbers


def stored() -> dict[str, Numbers]:
    """The numbers to be reproduced; none before the first time."""
    return json.loads(STORED.read_text()) if STORED.exists() else {}


def main() -> None:
    """Print what would change, and store it."""
    old, new = stored(), {form: three_steps(form) for form in FORMS}
    for form, numbers in new.items():
        for name, values in numbers.items():
            before = np.array(old.get(form, {}).get(name, [np.nan]))
            change = np.max(np.abs(np.array(values) - before) / np.abs(before))
            sys.stdout.write(f"{form:10} {name:15} largest relative change {change:.1e}\n")
    STORED.write_text(json.dumps(new, indent=1) + "\n")


if __name__ == "__main__":
    main()
