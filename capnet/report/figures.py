"""The figures that show people: which there are, and what is said with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from capnet.report.names import enumerate_words, variant_name
from capnet.report.overlays import overlay_sheet
from capnet.report.ranklists import Lists, rank_lists, rank_sheet, typical_queries
from capnet.report.study import Paths, Run, Study


@dataclass(frozen=True)
class Figure:
    """A picture for one data set's folder."""

    name: str
    picture: Image.Image
    alt: str
    caption: str


@dataclass(frozen=True)
class Plate:
    """The pictures of one of the paper's figures, and what holds for all of them."""

    note: str
    figures: tuple[Figure, ...]


def fig_2(study: Study, dataset: str, paths: Paths) -> Plate:
    """Draw the CAM and A_s over the same images for every variant (A29)."""
    runs, seed = _first_seed(study, dataset)
    root = Path(study.config.dataset(dataset).root)
    masks = paths.prepared(dataset) / "masks" if study.drawn(dataset) else None
    outline = " The thin white line is the drawn person's true outline." if masks else ""
    kinds = {
        "cam": "Class activation map (CAM)",
        "spatial": "Spatial attention A_s, computed for every form whether or not it multiplies",
    }
    return Plate(
        note=f"{study.title(dataset)}, seed {seed}. Each map is stretched to touch 0 (dark) and 1 "
        "(bright). Test people are nobody the network was trained on, so each CAM is that of the "
        f"training identity the network takes the person for.{outline}",
        figures=tuple(
            Figure(
                f"fig2_{kind}.png",
                overlay_sheet(runs, kind, root, masks),
                f"{words}, over the same images, one column each for {_forms(runs)}.",
                f"{words}.",
            )
            for kind, words in kinds.items()
        ),
    )


def fig_3(study: Study, dataset: str) -> Plate:
    """Draw the rank lists of a few queries for every variant."""
    runs, seed = _first_seed(study, dataset)
    root = Path(study.config.dataset(dataset).root)
    lists = rank_lists(runs)
    queries = typical_queries(lists)
    return Plate(
        note=f"{study.title(dataset)}, seed {seed}. Green frame and tick: the same person; red "
        f"frame and cross: another. Shown are {len(queries)} of the {len(lists[0])} kept queries, "
        "chosen by a rule and not for their looks: those whose number of wrong results, averaged "
        "over the forms, is nearest the median of that number (of equals the first in file order).",
        figures=tuple(
            Figure(
                f"fig3_ranks_{number}.png",
                rank_sheet(runs, lists, query, root),
                f"A query and its first results, one row each for {_forms(runs)}.",
                f"Query {number}. Wrong results: {_wrong(runs, lists, query)}.",
            )
            for number, query in enumerate(queries, 1)
        ),
    )


def _first_seed(study: Study, dataset: str) -> tuple[list[Run], int]:
    seed = study.config.grid.seeds[0]
    return [run for run in study.of(dataset) if run.seed == seed], seed


def _forms(runs: list[Run]) -> str:
    return enumerate_words([variant_name(run.variant) for run in runs])


def _wrong(runs: list[Run], lists: list[Lists], query: int) -> str:
    return ", ".join(
        f"{variant_name(run.variant)} {sum(not r['right'] for r in of_variant[query]['results'])}"
        for run, of_variant in zip(runs, lists, strict=True)
    )
