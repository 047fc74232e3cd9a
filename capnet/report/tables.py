"""A table as data and as text: which number is best, how it is written, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd

from capnet.report.aggregate import Number

NOT_GIVEN = "—"


@dataclass(frozen=True)
class Cell:
    """One entry: its text, whether it is its column's best, whether it is within the noise."""

    text: str
    best: bool = False
    noise: bool = False


Row = tuple[str, tuple[Cell, ...]]  # its label, its entries


@dataclass(frozen=True)
class Group:
    """Columns under one heading; `quoted` ones are not measured here."""

    heading: str
    columns: tuple[str, ...]
    quoted: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells below groups of columns; `data` holds the same as plain numbers."""

    title: str
    corner: str
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    data: pd.DataFrame

    @property
    def looks(self) -> list[str]:
        """How each column stands on the page: whether it opens a group, whether it is quoted."""
        return [
            f"{'group' if place == 0 else ''} {'quoted' if group.quoted else ''}".strip()
            for group in self.groups
            for place, _ in enumerate(group.columns)
        ]


def per_cent(number: Number) -> str:
    """Write a fraction in per cent, with its spread where there is one."""
    if isnan(number.mean):
        return NOT_GIVEN
    return f"{100 * number.mean:.1f}{_spread(number)}"


def points(number: Number) -> str:
    """Write a difference of fractions in points with its sign; ≈ where its spread exceeds it."""
    if isnan(number.mean):
        return NOT_GIVEN
    mark = "≈ " if within_noise(number) else ""
    text = f"{100 * number.mean:+.1f}".replace("-", "\N{MINUS SIGN}")
    return f"{mark}{text if text[1:] != '0.0' else '0.0'}{_spread(number)}"


def within_noise(number: Number) -> bool:
    """Whether a difference is no larger than its spread over seeds, so no finding."""
    return abs(number.mean) <= number.std


def column(
    numbers: Sequence[Number],
    write: Callable[[Number], str] = per_cent,
    best: Callable[[Sequence[float]], float] = max,
) -> list[Cell]:
    """Write a column and mark its best; means that are written alike are best together."""
    texts = [write(number) for number in numbers]
    means = [number.mean for number in numbers]
    known = [mean for mean in means if not isnan(mean)]
    if len(known) < 2:
        return [Cell(text) for text in texts]
    top = _mean_of(texts[means.index(best(known))])
    return [Cell(text, best=_mean_of(text) == top) for text in texts]


def from_columns(labels: Sequence[str], columns: Sequence[Sequence[Cell]]) -> tuple[Row, ...]:
    """Turn columns of cells into a table's rows."""
    return tuple(zip(labels, zip(*columns, strict=True), strict=True))


def csv(tables: Sequence[Table]) -> str:
    """Write tables of the same columns as one CSV; per cent and points with two decimals."""
    data = pd.concat([table.data for table in tables], ignore_index=True)
    return data.to_csv(index=False, float_format="%.2f", lineterminator="\n")


def markdown(tables: Sequence[Table]) -> str:
    """Write tables one below the other in GitHub's Markdown; the best of a column is bold."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    heads = [
        f"{group.heading}: {name}" if group.heading else name
        for group in table.groups
        for name in group.columns
    ]
    lines = [
        f"## {_escape(table.title)}\n",
        _line([table.corner, *map(_escape, heads)]),
        _line(["---", *("--:" for _ in heads)]),
        *(_line([_escape(label), *map(_entry, cells)]) for label, cells in table.rows),
        "",
        *(f"{_escape(note)}\n" for note in table.notes),
    ]
    return "\n".join(lines)


def _line(entries: Sequence[str]) -> str:
    return f"| {' | '.join(entries)} |"


def _entry(cell: Cell) -> str:
    text = _escape(cell.text)
    return f"**{text}**" if cell.best else text


def _escape(text: str) -> str:
    return text.replace("*", r"\*").replace("|", r"\|")


def _spread(number: Number) -> str:
    return "" if isnan(number.std) else f" ± {100 * number.std:.1f}"


def _mean_of(text: str) -> str:
    """Return the number before its spread."""
    return text.partition(" ± ")[0]
