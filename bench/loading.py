"""From disk to a batch: images per second and core, as ratios to the usual transforms.

python -m bench.loading [--images 512] [--rounds 3]

128x64 JPEG files to 384x128 normalised, augmented float32, on one core, in CPU time. `usual` is
Pillow and torchvision's v2 transforms, image by image, as most toolboxes have it. Every round takes
every way; the best of each counts, since whatever else the machine does only adds. Where the peers
were measured beside `usual`, torchreid reached 0.87 of it, fast-reid 1.43 (without normalising).
Targets against fast-reid: 2.2 from files, 5 from what a training keeps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from capnet.data.augment import augment, draw
from capnet.data.pixels import FilePixels, kept_pixels
from capnet.records import Record

HEIGHT, WIDTH, BATCH, PAD = 384, 128, 32, 10
FAST_REID = 866 / 605  # to `usual`, both measured on one machine
USUAL = v2.Compose(
    [
        v2.Resize((HEIGHT, WIDTH)),
        v2.RandomHorizontalFlip(0.5),
        v2.Pad(PAD),
        v2.RandomCrop((HEIGHT, WIDTH)),
        v2.PILToTensor(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        v2.RandomErasing(0.5),
    ]
)


def write_images(root: Path, count: int) -> list[Record]:
    """Write smooth random pictures, about as large as pedestrians' JPEG files are."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (16, 8, 3), dtype=np.uint8))
        picture = coarse.resize((64, 128), Image.Resampling.BICUBIC)
        picture.save(root / f"{number}.jpg", quality=95)
        records.append(Record(f"{number}.jpg", number, 1, "train", number, str(number)))
    return records


def usual(records: list[Record], root: Path) -> None:
    """Read and transform image by image, then stack each batch."""
    for start in range(0, len(records), BATCH):
        batch = []
        for record in records[start : start + BATCH]:
            with Image.open(root / record.path) as image:
                batch.append(USUAL(image.convert("RGB")))
        torch.stack(batch)


def ours(pixels: FilePixels | np.ndarray, count: int) -> None:
    """Take batches of pixels and augment them, as a training does."""
    for start in range(0, count, BATCH):
        places = list(range(start, min(start + BATCH, count)))
        draws = draw(torch.tensor(places), HEIGHT, WIDTH, flip=0.5, pad=PAD, erasing=0.5)
        augment(torch.from_numpy(pixels[places]), draws)


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Print a line per way from disk to batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as name:
        root = Path(name)
        records = write_images(root, arguments.images)
        files = FilePixels(records, root, HEIGHT, WIDTH)
        kept = kept_pixels(files, root / "kept")
        ways = {
            "usual": lambda: usual(records, root),
            "capnet from files": lambda: ours(files, len(records)),
            "capnet from kept pixels": lambda: ours(kept, len(records)),
        }
        rounds = [[seconds(work) for work in ways.values()] for _ in range(arguments.rounds)]
        best = [min(times) for times in zip(*rounds, strict=True)]
        rates = {way: len(records) / least for way, least in zip(ways, best, strict=True)}
    print(f"{'':24} images/s   x usual   x fast-reid (derived)")
    for way, value in rates.items():
        ratio = value / rates["usual"]
        print(f"{way:24} {value:8.0f} {ratio:9.2f} {ratio / FAST_REID:9.2f}")


if __name__ == "__main__":
    main()
