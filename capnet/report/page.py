"""The page: every table, curve and figure in one HTML file that needs nothing else."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from capnet.report import comparability, provenance
from capnet.report.curves import Curve
from capnet.report.encoding import svg_address, webp_addresses
from capnet.report.figures import Plate
from capnet.report.names import enumerate_words, seeds_words, variant_name
from capnet.report.strokes import strokes
from capnet.report.study import Paths, Study
from capnet.report.tables import Table

TEMPLATE = "page.html.j2"
LIMIT, TEXT = 980_000, 120_000  # bytes: of the page, and what is neither curve nor picture


@dataclass(frozen=True)
class Block:
    """What the page shows of one data set."""

    dataset: str
    finding: str
    table1: Table
    localisation: Table | None
    wrong: Table
    curves: list[Curve]
    fig2: Plate
    fig3: Plate


def render(
    study: Study,
    paths: Paths,
    blocks: list[Block],
    table2: Table,
    transfer: Table | None,
    files: Collection[str],
) -> str:
    """Return the page as HTML: no script, no request, images inside.

    Figures with real people are the exception: the page links to them where they lie. `files` are
    the names of the tables beside the page.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "typeset": _typeset,
        "duration": provenance.duration,
        "variant": variant_name,
    }
    return environment.get_template(TEMPLATE).render(
        title=study.config.report.title,
        facts=_facts(study),
        never_comparable=comparability.never_comparable(study),
        strokes=strokes(study.config),
        table2=table2,
        transfer=transfer,
        files=[_link(paths, paths.TABLES / name) for name in files],
        runs=study.runs,
        protocol=study.runs[0].metrics["protocol"],
        versions=provenance.versions(study.runs),
        commits=provenance.commits(study.runs),
        addresses=_addresses(study, blocks),
        blocks=[_view(study, paths, block) for block in blocks],
    )


def _addresses(study: Study, blocks: list[Block]) -> dict[tuple[str, str], str]:
    """Return what the page's images hold, by data set and name of the curve or drawn figure.

    Pictures of people get what space the curves leave.
    """
    curves = {
        (b.dataset, curve.title): svg_address(curve.svg) for b in blocks for curve in b.curves
    }
    pictures = {
        (block.dataset, figure.name): figure.picture
        for block in blocks
        if study.drawn(block.dataset)
        for figure in (*block.fig2.figures, *block.fig3.figures)
    }
    budget = LIMIT - TEXT - sum(map(len, curves.values()))
    return curves | dict(
        zip(pictures, webp_addresses(list(pictures.values()), budget), strict=True)
    )


def _facts(study: Study) -> dict[str, str]:
    grid, runs = study.config.grid, study.runs
    return {
        "Data": enumerate_words([study.title(dataset) for dataset in grid.datasets]),
        "Forms": ", ".join(variant_name(variant) for variant in grid.variants),
        "Seeds": f"{seeds_words(len(grid.seeds))} ({', '.join(map(str, grid.seeds))})",
        "Trainings": f"{len(runs)}, {provenance.mean_time(runs)} each on average",
        "When": provenance.period(runs),
        "Machine": "; ".join(provenance.machines(runs)),
    }


def _view(study: Study, paths: Paths, block: Block) -> dict[str, Any]:
    """Return a block under the template's names, with what is said beside its numbers."""
    drawn = study.drawn(block.dataset)
    return {
        **vars(block),
        "name": study.title(block.dataset),
        "drawn": drawn,
        "folder": _link(paths, (paths.FIGURES if drawn else paths.PRIVATE_FIGURES) / block.dataset),
        "card": study.cards[block.dataset],
        "card_page": _link(paths, paths.prepared(block.dataset) / "card.html"),
        "not_comparable": comparability.not_comparable(study, block.dataset),
        "settings": comparability.all_settings(study, block.dataset),
    }


def _link(paths: Paths, target: Path) -> str:
    """Return the way from the page to a file."""
    return Path(os.path.relpath(target, paths.PAGE.parent)).as_posix()


def _typeset(text: str) -> Markup:
    """Write the paper's A_s as it prints it."""
    return Markup(escape(text).replace("A_s", Markup("<i>A</i><sub>s</sub>")))
