"""The README's worked example of a user's own data does what it says."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from capnet.data.prepare import prepare
from capnet.records import of_split, read_manifest
from capnet.settings import Dataset

README = Path(__file__).resolve().parents[1] / "README.md"


def test_a_folder_of_images_becomes_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, rng = Path("data/raw/mine"), np.random.default_rng(0)
    folder.mkdir(parents=True)
    Path("tables").mkdir()
    for name in (
        f"{p}_{c}_{n}.jpg" for p in ("ann", "bob", "cy", "dee") for c in (1, 2) for n in "ab"
    ):
        Image.fromarray(rng.integers(0, 256, (32, 16, 3), dtype=np.uint8)).save(folder / name)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, str(README), "exec"), {})
    settings = Dataset(layout="table", root=str(folder), table="tables/mine.csv")
    prepare("mine", settings, Path("data/prepared/mine"))
    records = read_manifest(Path("data/prepared/mine/manifest.csv"))
    assert {r.path: r.pid for r in of_split(records, "train")} == {
        f"{name}_{c}_{n}.jpg": pid
        for name, pid in (("ann", 1), ("bob", 2))
        for c in (1, 2)
        for n in "ab"
    }
    assert {(r.pid, r.camid, r.path[-5]) for r in of_split(records, "query")} == {
        (3, 1, "a"), (3, 2, "a"), (4, 1, "a"), (4, 2, "a")
    }  # fmt: skip
    assert len(of_split(records, "gallery")) == 4
