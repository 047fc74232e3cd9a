"""Training curves: one small picture per quantity, a line per variant."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter

from capnet.report.names import variant_name
from capnet.report.strokes import Stroke, strokes
from capnet.report.study import Run, Study

HISTORY = {
    "loss": "Loss (eq. 6)",
    "identity_loss": "Identity loss",
    "triplet_loss": "Triplet loss",
    "attention_loss": "Attention loss (eq. 5)",
    "accuracy": "Training identity accuracy",
    "learning_rate": "Learning rate",
}
PROGRESS = {"rank1": "Test rank-1", "mAP": "Test mAP"}
FRACTIONS = {"accuracy", *PROGRESS}
INK = "#123456"  # becomes the reader's own: dark on a light page, light on a dark one
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.5,
}
THEME = "<style>svg{color:#333}@media(prefers-color-scheme:dark){svg{color:#ccc}}</style>"


@dataclass(frozen=True)
class Curve:
    """A picture of one quantity by epoch, as SVG."""

    title: str
    svg: str
    alt: str


def curves(study: Study, dataset: str) -> list[Curve]:
    """Draw each quantity by epoch: the mean over seeds, and thinly every seed where several.

    Test scores by epoch are there where several networks of a training were kept.
    """
    drawn = strokes(study.config)
    histories = {v: [run.history for run in study.of(dataset, v)] for v in drawn}
    progress = {v: [_progress(run) for run in study.of(dataset, v)] for v in drawn}
    return [
        *(_curve(dataset, name, title, histories, drawn) for name, title in HISTORY.items()),
        *(
            _curve(dataset, name, title, progress, drawn)
            for name, title in PROGRESS.items()
            if any(name in frame for frames in progress.values() for frame in frames)
        ),
    ]


def _progress(run: Run) -> pd.DataFrame:
    return pd.DataFrame(run.metrics.get("progress", []))


def _curve(
    dataset: str,
    name: str,
    title: str,
    frames: dict[str, list[pd.DataFrame]],
    drawn: dict[str, Stroke],
) -> Curve:
    ends = []
    with mpl.rc_context(STYLE | {"svg.hashsalt": f"{dataset} {name}"}):
        figure = Figure(figsize=(3.3, 2.3), layout="constrained")
        axes = figure.add_subplot()
        for variant, stroke in drawn.items():
            seeds = [frame.set_index("epoch")[name] for frame in frames[variant] if name in frame]
            if name == "learning_rate":
                seeds = seeds[:1]  # no seed has its own
            if seeds:
                mean = _draw(axes, seeds, stroke)
                ends.append(f"{variant_name(variant)} {mean.iloc[-1]:.3g}")
        if name in FRACTIONS:
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        if name == "learning_rate":
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:.0e}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        svg = io.StringIO()
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(svg, format="svg", transparent=True, metadata=metadata)
    alt = f"{title} by epoch. At the last epoch: {', '.join(ends)}."
    return Curve(title, _themed(svg.getvalue()), alt)


def _draw(axes: Axes, seeds: list[pd.Series[float]], stroke: Stroke) -> pd.Series[float]:
    """Draw the seeds thinly and their mean; return the mean by epoch."""
    if len(seeds) > 1:
        for seed in seeds:
            axes.plot(seed.index, seed, color=stroke.colour, linewidth=0.5, alpha=0.45)
    mean = pd.concat(seeds, axis="columns").mean(axis="columns")
    marker = "o" if len(mean) == 1 else ""
    axes.plot(
        mean.index,
        mean,
        color=stroke.colour,
        linewidth=1.6,
        linestyle=(0, stroke.dashes),
        marker=marker,
        markersize=4,
    )
    return mean


def _themed(svg: str) -> str:
    """Let a drawing take its ink from the reader's colour scheme, and write it shortly."""
    start = svg.index(">", svg.index("<svg")) + 1
    body = svg[svg.index("<svg") : start] + THEME + svg[start:].replace(INK, "currentColor")
    body = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.1f}", body)
    body = re.sub(r"([ML]) ([\d.]+) ([\d.]+) \n", r"\1\2,\3", body)
    return re.sub(r"\s*\n\s*", " ", body)
