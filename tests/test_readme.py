"""The README's worked examples do what it says."""

import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from capnet.data.prepare import prepare
from capnet.records import of_split, read_manifest
from capnet.settings import Dataset
from tests.ops.cases import assert_agrees, squared_distance
from tests.reference import rank_reference

README = Path(__file__).resolve().parents[1] / "README.md"


def example(word):
    """The README's only block of Python in which the word stands."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if word in block]
    return block


def test_a_folder_of_images_becomes_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder, rng = Path("data/raw/mine"), np.random.default_rng(0)
    folder.mkdir(parents=True)
    Path("tables").mkdir()
    for name in (
        f"{p}_{c}_{n}.jpg" for p in ("ann", "bob", "cy", "dee") for c in (1, 2) for n in "ab"
    ):
        Image.fromarray(rng.integers(0, 256, (32, 16, 3), dtype=np.uint8)).save(folder / name)
    exec(compile(example("mine.csv"), str(README), "exec"), {})
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


def test_embeddings_of_ones_own_are_ranked(capsys):
    rng = np.random.default_rng(0)
    embeddings = [rng.integers(-9, 10, (n, 8)) for n in (30, 90)]
    people = [rng.integers(0, 5, 30), rng.integers(-1, 5, 90)]
    cameras = [rng.integers(0, 3, n) for n in (30, 90)]
    given = dict(zip(("query", "gallery"), map(torch.Tensor, embeddings), strict=True))
    given |= dict(zip(("query_pids", "gallery_pids"), people, strict=True))
    given |= dict(zip(("query_camids", "gallery_camids"), cameras, strict=True))
    exec(compile(example("rank_embeddings"), str(README), "exec"), given)
    expected = rank_reference(
        squared_distance(*embeddings), people[0], people[1], cameras[0], cameras[1]
    )
    assert_agrees(given["ranked"], expected)
    assert f"mAP {expected['mean_ap']:.1%}" in capsys.readouterr().out
    assert given["reranked"].num_valid_queries == expected["num_valid_queries"]
