"""A small made-up project: the contract files of a grid, with drawn images and chosen scores."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from capnet.config import Config, load
from capnet.settings import Grid
from pipeline import paths

PARAMS = Path(__file__).parents[2] / "params.yaml"
QUERIES, RESULTS, OVERLAYS = 4, 10, 3
EPOCHS = 4  # one more than there are
NOISE = 0  # standard deviation of the images' grain

Scores = Mapping[tuple[str, int], Mapping[str, Any]]  # (variant, seed) -> parts of metrics.json


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Write a project into an empty folder, make it the current one, and return its config."""
    monkeypatch.chdir(tmp_path)
    return write_project


@cache
def standing() -> Config:
    return load(PARAMS)


def write_project(
    datasets: tuple[str, ...] = ("synthetic",),
    variants: tuple[str, ...] = ("baseline", "s", "s_times_c"),
    seeds: tuple[int, ...] = (1, 2),
    scores: Scores | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Config:
    grid = Grid(datasets=list(datasets), variants=list(variants), seeds=list(seeds))
    config = standing().model_copy(update={"grid": grid})
    for dataset in datasets:
        drawn = config.dataset(dataset).generate is not None
        write_card(dataset, drawn)
        write_images(Path(config.dataset(dataset).root), masks=drawn)
        for variant in variants:
            for seed in seeds:
                run = config.run(dataset, variant, seed).model_dump()
                chosen = (scores or {}).get((variant, seed), {})
                write_run(run, chosen, masks=drawn, settings=settings or {})
    return config


def write_card(dataset: str, drawn: bool) -> None:
    counts = {"images": 40, "ids": 5, "cameras": 2, "junk": 0, "distractors": 0}
    write_json(
        paths.card(dataset),
        {
            "dataset": dataset,
            "layout": "market",
            "root": "images",
            "drawn": drawn,
            "splits": {split: counts for split in ("train", "query", "gallery")},
            "manifest_sha256": f"manifest of {dataset}",
        },
    )


def write_images(root: Path, masks: bool) -> None:
    for split, count in (("query", QUERIES), ("bounding_box_test", RESULTS)):
        for i in range(count):
            image = Image.new("RGB", (32, 64), (40 * i % 256, 120, 200))
            mask = Image.new("L", image.size)
            for part, pen in ((2, ImageDraw.Draw(mask)), ((250, 220, 40), ImageDraw.Draw(image))):
                pen.ellipse((8, 8, 24, 56), fill=part)
            (root / split).mkdir(parents=True, exist_ok=True)
            grain = np.random.default_rng(i).normal(0, NOISE, (64, 32, 3))
            image = Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))
            image.save(root / split / f"{i:04d}.jpg")
            if masks:
                folder = root.parent / "masks" / split
                folder.mkdir(parents=True, exist_ok=True)
                mask.save(folder / f"{i:04d}.png")


def write_run(
    run: Mapping[str, Any], chosen: Mapping[str, Any], masks: bool, settings: Mapping[str, Any]
) -> None:
    key = paths.run_key(run["dataset"], run["variant"], run["seed"])
    trained = {block: {**run[block], **settings.get(block, {})} for block in ("model", "train")}
    paths.results(key).mkdir(parents=True, exist_ok=True)
    write_json(paths.results(key) / "training.json", training(run, trained))
    write_json(paths.results(key) / "metrics.json", metrics(masks) | chosen)
    lines = ["epoch,learning_rate,loss,identity_loss,triplet_loss,attention_loss,accuracy,cam_kept"]
    lines += [f"{e},{1e-4 * e},{9 / e},{6 / e},{3 / e},0.1,{1 - 1 / e},1" for e in range(1, EPOCHS)]
    (paths.results(key) / "history.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    paths.evaluated(key).mkdir(parents=True, exist_ok=True)
    maps = np.linspace(0, 1, OVERLAYS * 18, dtype=np.float32).reshape(OVERLAYS, 6, 3)
    np.savez(
        paths.evaluated(key) / "overlays.npz",
        paths=np.array([f"query/{i:04d}.jpg" for i in range(OVERLAYS)]),
        **dict.fromkeys(("cam", "spatial", "unattended"), maps),
    )
    write_json(paths.evaluated(key) / "ranks.json", ranks(run["variant"]))


def training(run: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: run[name] for name in ("dataset", "variant", "seed", "form")},
        "settings": settings,
        "fingerprint": "ab" * 32,
        "manifest_sha256": f"manifest of {run['dataset']}",
        "started": f"2026-01-0{run['seed']}T10:00:00+00:00",
        "finished": f"2026-01-0{run['seed']}T10:02:03+00:00",
        "seconds": 123.0,
        "images_per_second": 45.6,
        "device": "CPU (x86_64, 2 threads)",
        "precision": "fp32",
        "processes": 1,
        "versions": {"python": "3.11.9", "torch": "2.12.1"},
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "parameters": 23_600_000,
        "identities": 5,
        "images": 40,
        "resumed": 0,
    }


def metrics(masks: bool) -> dict[str, Any]:
    content: dict[str, Any] = {
        "protocol": [["distance", "Euclidean"], ["ignored", "own identity and camera"]],
        "rank1": 0.5,
        "mAP": 0.4,
        "mINP": 0.2,
        "wrong_in_top10": 4.5,
        "reranked": {"rank1": 0.55, "mAP": 0.6, "mINP": 0.3},
        "counts": {"queries": 40, "valid_queries": 39, "gallery": 40, "junk": 0},
        "progress": [
            {"epoch": 2, "rank1": 0.3, "mAP": 0.2},
            {"epoch": 4, "rank1": 0.5, "mAP": 0.4},
        ],
    }
    if masks:
        scores = {"pixel_ap": 0.6, "energy": 0.5, "pointing": 0.9}
        content["localisation"] = {
            "chance": 0.25,
            **dict.fromkeys(("cam", "spatial", "unattended"), scores),
        }
    return content


def ranks(variant: str) -> list[dict[str, Any]]:
    """Query q has q + 1 wrong results for the baseline and q for every other variant."""
    first_right = 1 if variant == "baseline" else 0
    return [
        {
            "path": f"query/{q:04d}.jpg",
            "pid": q,
            "camid": 0,
            "results": [
                {
                    "path": f"bounding_box_test/{i:04d}.jpg",
                    "pid": i,
                    "camid": 1,
                    "distance": 0.1 * i,
                    "right": i >= q + first_right,
                }
                for i in range(RESULTS)
            ],
        }
        for q in range(QUERIES)
    ]


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
