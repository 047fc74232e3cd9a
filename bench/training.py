"""The training step: images a second against a bare torchvision loop, and where its time goes.

python -m bench.training [--backbone resnet50] [--size 96 48] [--batch 32] [--form s_times_c]
                         [--precision fp32 bf16] [--layout nchw nhwc] [--steps 6]

All ways take turns, step by step, so that noise falls on each; medians of seconds and of ratios
within one round. `bare` is torchvision's network with the same head and losses, in plain torch with
torch.optim.Adam, in the same precision and layout (nhwc: channels-last), from images that capnet
has augmented: augmentation is a part of capnet's step alone. `attention` is what the paper adds:
eqs. 1-5 on the last map, pooling included, forward and backward, timed alone, over capnet's step.
`extra MiB` is the peak of a step above what lies between two steps. `peak` is the share of the rate
that one large product of matrices reaches.
Targets: ratio 1.0 to the bare loop, attention 2 %, bf16 1.8 times fp32 where the machine's own
rates differ by as much (the last line gives both).
"""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from itertools import product

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.clock import Clock, extra_memory, product_rate
from bench.steps import LAYOUTS, PARTS, Work
from capnet.config import load
from capnet.engine.provenance import device_name
from capnet.settings import Run

WARM = 2  # rounds before those that count
Way = tuple[str, str]  # precision, layout
Times = dict[str, float]  # seconds of each part, and two ratios within one round


def measure(work: Work, clock: Clock) -> Times:
    """Take one step of capnet, one of the bare loop, and the attention alone.

    The attention counts the second time: in a step its map has just been computed.
    """
    times: Times = {}
    for task in (work.step, work.bare, work.attention, work.attention):
        task(clock)
        times |= clock.read()
    step = sum(times[part] for part in PARTS)
    return times | {"ratio": times["bare"] / step, "share": times["attention alone"] / step}


def show(works: dict[Way, Work], medians: dict[Way, Times], batch: int) -> None:
    """Print a line per precision and layout, then the share of each part in capnet's step."""
    print(f"{'':11}{'images/s':>9}{'bare':>8}{'ratio':>7}{'attention':>11}", end="")
    print(f"{'extra MiB':>11}{'bare':>7}{'peak':>7}")
    whole = {way: sum(times[part] for part in PARTS) for way, times in medians.items()}
    device = next(iter(works.values())).device
    peak = {precision: product_rate(precision, device) for precision, _ in works}
    for way, work in works.items():
        bare, clock = medians[way]["bare"], Clock(work.device)
        memory = [
            extra_memory(partial(task, clock), work.device) for task in (work.step, work.bare)
        ]
        clock.read()
        with FlopCounterMode(display=False) as counter:
            work.step(clock)
        rate = counter.get_total_flops() / whole[way] / peak[way[0]]
        print(f"{way[0]:5} {way[1]:5}{batch / whole[way]:9.1f}{batch / bare:8.1f}", end="")
        print(f"{medians[way]['ratio']:7.3f}{medians[way]['share']:11.2%}", end="")
        print(f"{memory[0]:11.0f}{memory[1]:7.0f}{rate:7.0%}")
    print(f"\n{'share of':11}" + "".join(f"{part:>{len(part) + 2}}" for part in PARTS))
    for way, times in medians.items():
        shares = "".join(f"{times[part] / whole[way]:{len(part) + 2}.1%}" for part in PARTS)
        print(f"{way[0]:5} {way[1]:5}{shares}")
    for layout in dict.fromkeys(layout for _, layout in works):
        if {("fp32", layout), ("bf16", layout)} <= works.keys():
            gain = whole["fp32", layout] / whole["bf16", layout]
            chip = peak["bf16"] / peak["fp32"]
            print(f"{layout}: bf16 {gain:.2f} times as fast as fp32, products alone {chip:.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--size", type=int, nargs=2, default=[96, 48], help="height and width")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--form", default="s_times_c")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--layout", choices=LAYOUTS, nargs="+", default=list(LAYOUTS))
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args()
    works = {}
    for precision, layout in product(options.precision, options.layout):
        run = load().run("market1501", options.form, 0).model_dump()
        height, width = options.size
        run["model"] |= {"backbone": options.backbone, "height": height, "width": width}
        run["train"]["precision"] = precision
        works[precision, layout] = Work(Run.model_validate(run), layout, options.batch)
    device = next(iter(works.values())).device
    clock = Clock(device)
    rounds = [
        {way: measure(work, clock) for way, work in works.items()}
        for _ in range(WARM + options.steps)
    ][WARM:]
    medians = {
        way: {part: statistics.median(one[way][part] for one in rounds) for part in rounds[0][way]}
        for way in works
    }
    print(
        f"{options.backbone}, {height} x {width}, batch {options.batch}, {options.form}, ", end=""
    )
    print(f"{device_name(device)}, {torch.get_num_threads()} threads, {options.steps} steps")
    show(works, medians, options.batch)


if __name__ == "__main__":
    main()
