"""From the runs of the grid to the report's files, all of them or none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from capnet.config import Config
from capnet.report.aggregate import Summary, as_json, summarise
from capnet.report.curves import curves
from capnet.report.encoding import png
from capnet.report.figures import fig_2, fig_3
from capnet.report.findings import finding
from capnet.report.page import Block, render
from capnet.report.study import Paths, Study, read_study
from capnet.report.table1 import table_1
from capnet.report.table2 import table_2
from capnet.report.table_figures import localisation_table, wrong_table
from capnet.report.tables import Table, csv, markdown
from capnet.report.transfer_table import transfer_table

Folder = Mapping[str, bytes]  # file name -> content


def write_report(config: Config, paths: Paths) -> None:
    """Write the page, the tables and the figures of every run of the grid.

    Nothing is written before everything is made. Figures with real people go to
    `paths.PRIVATE_FIGURES`, which git ignores. Raises ReportError, OSError.
    """
    study = read_study(config, paths)
    summary = summarise(study)
    blocks = [_block(study, summary, dataset, paths) for dataset in config.grid.datasets]
    table2 = table_2(study, summary)
    transfer = transfer_table(study, summary)
    tables = _tables(study, summary, blocks, table2, transfer)
    page = render(study, paths, blocks, table2, transfer, files=tables)
    publish(
        {
            paths.TABLES: tables,
            paths.FIGURES: _figures(block for block in blocks if study.drawn(block.dataset)),
            paths.PRIVATE_FIGURES: _figures(b for b in blocks if not study.drawn(b.dataset)),
            paths.PAGE: page.encode(),
        }
    )


def publish(outputs: Mapping[Path, bytes | Folder]) -> None:
    """Put files and whole folders in their places, after all of them lie complete beside them.

    An output's earlier content goes, also files that the new one no longer has.
    """
    staged = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in outputs}
    try:
        for path, content in outputs.items():
            _write(staged[path], content)
        for path, fresh in staged.items():
            if path.is_dir():
                shutil.rmtree(path)
            fresh.replace(path)
    except OSError as error:
        name = error.filename or path
        reason = f"cannot write {name}: {error.strerror}; free space or check the folder"
        raise OSError(error.errno, reason) from error
    finally:
        for fresh in staged.values():
            fresh.unlink(missing_ok=True) if fresh.is_file() else shutil.rmtree(fresh, True)


def _write(path: Path, content: bytes | Folder) -> None:
    if isinstance(content, bytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return
    path.mkdir(parents=True, exist_ok=True)
    for name, inside in content.items():
        _write(path / name, inside)


def _block(study: Study, summary: Summary, dataset: str, paths: Paths) -> Block:
    measured = "localisation.chance" in summary.names(dataset)
    return Block(
        dataset=dataset,
        finding=finding(study, summary, dataset),
        table1=table_1(study, summary, dataset),
        localisation=localisation_table(study, summary, dataset) if measured else None,
        wrong=wrong_table(study, summary, dataset),
        curves=curves(study, dataset),
        fig2=fig_2(study, dataset, paths),
        fig3=fig_3(study, dataset),
    )


def _tables(
    study: Study, summary: Summary, blocks: list[Block], table2: Table, transfer: Table | None
) -> Folder:
    tables = {
        "table1": [block.table1 for block in blocks],
        "table2": [table2],
        "transfer": [transfer] if transfer else [],
        "localisation": [block.localisation for block in blocks if block.localisation],
        "wrong_in_top10": [block.wrong for block in blocks],
    }
    texts = {"results.json": json.dumps(as_json(study, summary), indent=2, allow_nan=False) + "\n"}
    for name, group in tables.items():
        if group:
            texts |= {f"{name}.csv": csv(group), f"{name}.md": markdown(group)}
    return {name: text.encode() for name, text in texts.items()}


def _figures(blocks: Iterable[Block]) -> Folder:
    return {
        f"{block.dataset}/{figure.name}": png(figure.picture)
        for block in blocks
        for figure in (*block.fig2.figures, *block.fig3.figures)
    }
