"""Why a data set's numbers are not the paper's experiment, derived from the runs themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from capnet.report import paper
from capnet.report.names import dataset_name, enumerate_words, variant_name
from capnet.report.provenance import commits, machines, versions
from capnet.report.study import Run, Study

USUAL_WEIGHTS = "IMAGENET1K_V1"  # A30
ATTENTION_WEIGHT = "train.attention_weight"


def settings_of(run: Run) -> dict[str, Any]:
    """Return a run's settings under dotted keys: model.height, train.epochs."""
    return dict(_flat(run.training["settings"]))


def differences(study: Study, dataset: str) -> list[str]:
    """Say where runs of a data set differ from what the paper states, in words.

    The paper's baseline has no attention loss: a baseline without one is no difference.
    """
    runs = study.of(dataset)
    sentences = []
    for key, words, stated in paper.SETTINGS:
        found: dict[str, list[str]] = {}
        for run in runs:
            value = settings_of(run).get(key)
            plain_baseline = key == ATTENTION_WEIGHT and run.variant == "baseline"
            if value != (0 if plain_baseline else stated):
                found.setdefault(_write(value), []).append(run.variant)
        for value, variants in found.items():
            names = [variant_name(variant) for variant in dict.fromkeys(variants)]
            partly = len(variants) < len(runs)
            where = f" for {enumerate_words(names)}" if partly else ""
            sentences.append(f"{words} {value} instead of {_write(stated)}{where}")
    return sentences


def not_comparable(study: Study, dataset: str) -> list[str]:
    """Say why a data set's numbers are not the paper's, a sentence each; empty if nothing differs.

    What holds for every data set is in `never_comparable`.
    """
    runs = study.of(dataset)
    reasons = [*_about_images(study, dataset), *_allowances(study, dataset)]
    if changed := differences(study, dataset):
        reasons.append(f"Settings differ: {'; '.join(changed)}.")
    for weights in dict.fromkeys(settings_of(run).get("model.weights") for run in runs):
        if weights is None:
            reasons.append("The networks start from random weights; the paper fine-tunes.")
        elif weights != USUAL_WEIGHTS:
            reasons.append(
                f"The networks start from the weights {Path(weights).name}; the paper does not say "
                "from which."
            )
    if uneven := _uneven(runs):
        reasons.append(f"The runs are not alike among themselves: {'; '.join(uneven)}.")
    return reasons


def never_comparable(study: Study) -> list[str]:
    """Say why no number here is the paper's, whatever the data set."""
    seeds = len(study.config.grid.seeds)
    ours = "one seed, no spread either" if seeds == 1 else f"{seeds} seeds each"
    return [
        f"The paper prints single runs without a spread; here {ours}.",
        f"The paper does not state {paper.UNSTATED}. What was used here is listed under "
        "“All settings”: one reading of the paper, not the only one.",
    ]


def all_settings(study: Study, dataset: str) -> list[tuple[str, str, str]]:
    """Return every setting of the data set's runs: key, value or values, what the paper states."""
    stated = {key: value for key, _, value in paper.SETTINGS}
    runs = [settings_of(run) for run in study.of(dataset)]
    return [
        (
            key,
            enumerate_words(list(dict.fromkeys(_write(run.get(key)) for run in runs))),
            _write(stated[key]) if key in stated else "not stated",
        )
        for key in runs[0]
    ]


def _about_images(study: Study, dataset: str) -> Iterator[str]:
    if study.drawn(dataset):
        yield "The people are drawn by a program, so these scores say nothing about photographs."
    elif dataset not in paper.DATASETS:
        yield f"{dataset_name(dataset)} is not in the paper."
    else:
        splits = study.cards[dataset]["splits"]
        counted = (splits["train"]["images"], splits["train"]["ids"], splits["query"]["images"])
        if counted != paper.SIZES[dataset]:
            yield (
                f"The images are not the paper's: {_sizes(counted)} here, "
                f"{_sizes(paper.SIZES[dataset])} there."
            )


def _allowances(study: Study, dataset: str) -> Iterator[str]:
    for entry in study.cards[dataset].get("allowed", []):
        yield (
            f"The images fail the check {entry['check']} and were used all the same, because: "
            f"{entry['reason']} (found: {entry['finding']})."
        )


def _sizes(counts: tuple[int, int, int]) -> str:
    images, identities, queries = counts
    return f"{images} training images of {identities} identities and {queries} queries"


def _uneven(runs: list[Run]) -> list[str]:
    kinds = (("machines", machines(runs)), ("versions", versions(runs)), ("code", commits(runs)))
    return [f"{name} ({' / '.join(kind)})" for name, kind in kinds if len(kind) > 1]


def _write(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return enumerate_words([_write(entry) for entry in value])
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
