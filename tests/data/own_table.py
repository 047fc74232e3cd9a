"""A small table of four images, and the records that it means."""

from pathlib import Path

from capnet.records import UNKNOWN, Record

HEADER = "path,pid,camid,split"
GOOD = ["a/1.jpg,7,1,train", "a/2.jpg,8,2,train", "b/3.jpg,9,1,query", "b/4.jpg,9,,gallery"]
RECORDS = [
    Record("a/1.jpg", 7, 1, "train", -1, ""),
    Record("a/2.jpg", 8, 2, "train", -1, ""),
    Record("b/3.jpg", 9, 1, "query", -1, ""),
    Record("b/4.jpg", 9, UNKNOWN, "gallery", -1, ""),
]


def make_images(root: Path) -> Path:
    """Create the four images as empty files below `root`, and return it."""
    for record in RECORDS:
        (root / record.path).parent.mkdir(parents=True, exist_ok=True)
        (root / record.path).touch()
    return root
