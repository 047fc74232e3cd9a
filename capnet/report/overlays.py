"""Fig. 2: where each form looks, on the same images."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageFilter

from capnet.report.names import variant_name
from capnet.report.sheet import GAP, TILE, Sheet, coloured, overlay, tile
from capnet.report.study import ReportError, Run

KINDS = ("cam", "spatial", "unattended")

Maps = dict[str, NDArray[np.float32]]


def overlay_sheet(runs: list[Run], kind: str, root: Path, masks: Path | None) -> Image.Image:
    """Draw a row per image: the image, then the map of each variant over it.

    runs: one per variant. kind: cam, spatial or unattended. masks: the folder of the persons' true
    masks, whose outline is drawn thinly; None on real people.
    """
    maps = _same_images(runs)
    paths = [str(path) for path in maps[0]["paths"]]
    headings = ["input", *(variant_name(run.variant) for run in runs)]
    sheet = Sheet(headings, rows=len(paths), foot=30)
    for row, path in enumerate(paths):
        image = tile(root / path)
        sheet.paste(row, 0, image)
        for column, of_variant in enumerate(maps, 1):
            shown = overlay(image, of_variant[kind][row])
            sheet.paste(row, column, _outlined(shown, masks / path) if masks else shown)
    _colour_bar(sheet)
    return sheet.picture


def _same_images(runs: list[Run]) -> list[Maps]:
    files = [run.evaluated / "overlays.npz" for run in runs]
    maps = [_read(file) for file in files]
    for file, of_variant in zip(files, maps, strict=True):
        if not np.array_equal(maps[0]["paths"], of_variant["paths"]):
            raise ReportError(f"{file}: holds other images than {files[0]}; run `dvc repro`")
    return maps


def _read(file: Path) -> Maps:
    try:
        with np.load(file, allow_pickle=False) as content:
            return {name: content[name] for name in ("paths", *KINDS)}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ReportError(f"{file}: not readable ({error}); run `dvc repro`") from None


def _outlined(image: Image.Image, mask: Path) -> Image.Image:
    """Draw the outline of the person (mask codes above 0), where a mask exists."""
    mask = mask.with_suffix(".png")
    if not mask.is_file():
        return image
    with Image.open(mask) as codes:
        person = codes.point(lambda code: 255 if code else 0).convert("L")
    person = person.resize(TILE, Image.Resampling.NEAREST)
    edge = ImageChops.subtract(person, person.filter(ImageFilter.MinFilter(3)))
    outlined = image.copy()
    outlined.paste((255, 255, 255), mask=edge.point(lambda value: value * 3 // 4))
    return outlined


def _colour_bar(sheet: Sheet) -> None:
    width, top = 2 * TILE[0] + GAP, sheet.picture.height - 24
    left = sheet.picture.width - width - GAP - 12
    ramp = np.tile(np.linspace(0, 1, width, dtype=np.float32), (12, 1))
    sheet.picture.paste(coloured(ramp), (left, top))
    sheet.write((left - 6, top + 6), "0", anchor="rm")
    sheet.write((left + width + 5, top + 6), "1", anchor="lm")
