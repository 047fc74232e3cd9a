"""CUHK03-NP's folders, from the original release: `python -m pipeline.cuhk03 <release> ...`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from capnet.data.cuhk03 import BOXES, convert
from pipeline.stage import stage


def main() -> None:
    """Write the images of one kind of boxes into a new folder, and count them."""
    if len(sys.argv) != 4 or sys.argv[2] not in BOXES:
        raise ValueError(
            f"expected: <cuhk03_release folder> <{'|'.join(BOXES)}> <new folder>; "
            f"got {sys.argv[1:]}"
        )
    release, boxes, target = sys.argv[1:]
    for folder, count in convert(Path(release), boxes, Path(target)).items():
        logging.info("%s: %d images", folder, count)


if __name__ == "__main__":
    stage(main)
