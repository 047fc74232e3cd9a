"""The drawn data set: images a second on one process and on more, as a ratio within one run.

python -m bench.generator [--images 2000] [--processes 2] [--repeats 3]

Images of 128 x 64 by six cameras at the default dials, masks too. The start of the processes and
the places that each of them paints are part of the time, so few images understate the ratio. Best
of the rounds, since whatever else the machine does only adds. Target: Market-1501's size within
minutes on two cores.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from capnet.data.synthetic import generate

MARKET = 36_036  # train, query and gallery images of Market-1501, junk among them
CAMERAS, VIEWS = 6, 3


def seconds(persons: int, processes: int) -> float:
    """Draw the images of some persons once; return the time."""
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        generate(
            Path(folder) / "set",
            seed=1,
            height=128,
            width=64,
            train_ids=persons // 2,
            test_ids=persons - persons // 2,
            cameras=CAMERAS,
            images_per_camera=VIEWS,
            distractors=0,
            junk=0,
            workers=processes,
        )
        return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000, help="about so many")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    persons = max(2, round(options.images / (CAMERAS * VIEWS)))
    images = persons * CAMERAS * VIEWS
    ways = (1, options.processes)
    rounds = [[seconds(persons, processes) for processes in ways] for _ in range(options.repeats)]
    best = [min(times) for times in zip(*rounds, strict=True)]
    print(f"{images} images, best of {options.repeats}")
    print(f"{'processes':>9}{'images/s':>10}{'ratio':>8}{'minutes for Market-1501':>25}")
    for processes, least in zip(ways, best, strict=True):
        rate = images / least
        print(f"{processes:9}{rate:10.1f}{best[0] / least:8.2f}{MARKET / rate / 60:25.1f}")


if __name__ == "__main__":
    main()
