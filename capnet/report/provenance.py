"""On what the runs were trained, with what code, when and for how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from statistics import fmean
from typing import Any

from capnet.report.study import Run


def machines(runs: list[Run]) -> list[str]:
    """Say on what the trainings ran: one line for each kind of machine, precision and process."""
    kinds = Counter(
        (run.training["device"], run.training["precision"], run.training["processes"])
        for run in runs
    )
    return [
        f"{count} on {device}, {precision}, {processes} process{'es' if processes > 1 else ''}"
        for (device, precision, processes), count in kinds.items()
    ]


def versions(runs: list[Run]) -> list[str]:
    """Return the versions of what computed, each distinct set once."""
    return list(
        dict.fromkeys(
            ", ".join(f"{name} {version}" for name, version in run.training["versions"].items())
            for run in runs
        )
    )


def commits(runs: list[Run]) -> list[str]:
    """Return the commits of the trainings, each once, and whether the code had been changed."""
    return list(dict.fromkeys(_commit(run.training["git"]) for run in runs))


def period(runs: list[Run]) -> str:
    """Say when the first training started and the last one ended, in UTC."""
    first = min(datetime.fromisoformat(run.training["started"]) for run in runs)
    last = max(datetime.fromisoformat(run.training["finished"]) for run in runs)
    return f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def mean_time(runs: list[Run]) -> str:
    """Say how long a training took on average."""
    return duration(fmean(run.training["seconds"] for run in runs))


def duration(seconds: float) -> str:
    """Write seconds as a person would: 42 s, 12 min 3 s, 5 h 20 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _commit(git: Mapping[str, Any]) -> str:
    if not git["commit"]:
        return "outside a git repository"
    changed = " with uncommitted changes" if git["dirty"] else ""
    return f"{git['commit'][:12]}{changed}"
