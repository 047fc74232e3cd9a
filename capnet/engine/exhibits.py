"""Material for Figs. 2 and 3: the same images and queries for every variant of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from capnet.engine.embed import Embedded, Trained, inputs
from capnet.files import replacing
from capnet.models.network import Maps
from capnet.ops import localisation
from capnet.ops.ranking import rank_lists
from capnet.records import UNKNOWN, Record
from capnet.settings import Evaluate

T = TypeVar("T")
TOP = 10  # length of the paper's rank lists


class RankLists(NamedTuple):
    """Fig. 3: lists of some queries as plain values, and the mean wrong in the top 10 of all.

    And the path of each query's first wrong image in the top 10, "" where all are right.
    """

    shown: list[dict[str, Any]]
    wrong_in_top10: float
    first_wrong: list[str]


def rank_list_exhibit(embedded: Embedded, settings: Evaluate) -> RankLists:
    """First ten of the gallery images that the protocol counts, for `gallery_lists` queries."""
    places, distances = rank_lists(embedded.query, embedded.gallery, *embedded.ids(), top=TOP)
    query_pids, gallery_pids, *_ = (ids.numpy() for ids in embedded.ids())
    right = gallery_pids[places] == query_pids[:, None]
    wrong = ~right & (places >= 0)
    first_wrong = [
        embedded.candidates[row[misses.argmax()]].path if misses.any() else ""
        for row, misses in zip(places, wrong, strict=True)
    ]
    shown = [
        _plain(embedded.queries[row])
        | {
            "results": [
                _plain(embedded.candidates[place])
                | {"distance": float(distance), "right": bool(is_right)}
                for place, distance, is_right in zip(
                    places[row].tolist(), distances[row], right[row], strict=True
                )
                if place >= 0
            ]
        }
        for row in evenly(range(len(embedded.queries)), settings.gallery_lists)
    ]
    mean = float(wrong.sum(1)[_answerable(embedded)].mean())
    return RankLists(shown, mean, first_wrong)


def maps_of(trained: Trained, records: Sequence[Record], root: Path, settings: Evaluate) -> Maps:
    """Attention maps of images in order, each (N, h, w) float32 on the CPU."""
    batches = inputs(trained, records, root, settings.batch_size)
    parts = [trained.network.maps(images) for images in batches]
    return Maps(*(torch.cat([getattr(p, name).cpu() for p in parts]) for name in Maps._fields))


def write_overlays(path: Path, maps: Maps, records: Sequence[Record], settings: Evaluate) -> None:
    """Fig. 2: write the maps of `overlays` images as .npz, by name, with the images' `paths`."""
    rows = evenly(range(len(records)), settings.overlays)
    chosen = {name: getattr(maps, name)[rows].numpy() for name in Maps._fields}
    named = {"paths": np.array([records[row].path for row in rows]), **chosen}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **named)


def localisation_scores(maps: Maps, masks: Tensor) -> dict[str, Any]:
    """Fig. 2 in numbers, where the person is known: each map against masks (N, H, W) bool."""
    size = (masks.shape[1], masks.shape[2])
    result: dict[str, Any] = {"chance": float(masks.float().mean())}
    for name in Maps._fields:
        full = localisation.upsampled(getattr(maps, name), size)
        result[name] = {
            "pixel_ap": localisation.pixel_average_precision(full, masks),
            "energy": float(localisation.energy_in_mask(full, masks).mean()),
            "pointing": float(localisation.peak_in_mask(full, masks).float().mean()),
        }
    return result


def read_masks(records: Sequence[Record], folder: Path) -> Tensor | None:
    """Person masks (N, H, W) bool of drawn images, or None where a data set has none."""
    if not folder.is_dir():
        return None
    files = (folder / Path(record.path).with_suffix(".png") for record in records)
    return torch.stack([torch.from_numpy(np.array(Image.open(file)) > 0) for file in files])


def evenly(items: Sequence[T], count: int) -> list[T]:
    """Return `count` items spread evenly over a sequence, or all of them if it is shorter."""
    step = max(len(items) / count, 1) if count else 1
    return [items[int(i * step)] for i in range(min(count, len(items)))]


def _answerable(embedded: Embedded) -> list[bool]:
    """Tell which queries have a right answer by another camera."""
    cameras: dict[int, set[int]] = {}
    for record in embedded.candidates:
        cameras.setdefault(record.pid, set()).add(record.camid)
    return [bool(cameras.get(r.pid, set()) - ({r.camid} - {UNKNOWN})) for r in embedded.queries]


def _plain(record: Record) -> dict[str, Any]:
    return {"path": record.path, "pid": record.pid, "camid": record.camid}
