"""Mean and spread over seeds, and the differences between variants, paired by seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import nan
from statistics import fmean, stdev
from typing import Any, NamedTuple

from capnet.report.study import Study

NOT_SCORES = {"protocol", "trainings", "counts", "progress", "evaluated"}


class Number(NamedTuple):
    """A mean over seeds and its sample standard deviation; nan where there is none."""

    mean: float
    std: float = nan


@dataclass(frozen=True)
class Summary:
    """The scores of every run, and what they say about a variant.

    Scores are named as in metrics.json, with dots: rank1, reranked.mAP, localisation.cam.energy.
    """

    runs: Mapping[tuple[str, str, int], Mapping[str, float]]  # (data set, variant, seed)
    reference: str

    def by_seed(self, dataset: str, variant: str, score: str) -> dict[int, float]:
        """Return a variant's score for each seed; empty where it was not measured."""
        return {
            seed: scores[score]
            for (of_dataset, of_variant, seed), scores in self.runs.items()
            if (of_dataset, of_variant) == (dataset, variant) and score in scores
        }

    def score(self, dataset: str, variant: str, score: str) -> Number:
        """Return one score of a variant over its seeds."""
        return _number(self.by_seed(dataset, variant, score).values())

    def difference(self, dataset: str, variant: str, score: str) -> Number:
        """Return a variant's score minus the reference's.

        It is taken within each seed first: what a seed does to both of them cancels.
        """
        ours, base = (self.by_seed(dataset, v, score) for v in (variant, self.reference))
        return _number(value - base[seed] for seed, value in ours.items() if seed in base)

    def names(self, dataset: str) -> list[str]:
        """Return the scores that were measured on a data set, in the order of their files."""
        return list(
            dict.fromkeys(n for (d, _, _), s in self.runs.items() if d == dataset for n in s)
        )


def summarise(study: Study) -> Summary:
    """Gather the numbers of every run's metrics.json."""
    return Summary(
        runs={
            (run.dataset, run.variant, run.seed): dict(
                _flat({k: v for k, v in run.metrics.items() if k not in NOT_SCORES})
            )
            for run in study.runs
        },
        reference=study.config.report.reference_variant,
    )


def as_json(study: Study, summary: Summary) -> dict[str, Any]:
    """Return everything aggregated, in full precision, as fractions: reports/tables/results.json.

    A spread that one seed cannot give is null.
    """
    grid = study.config.grid
    return {
        "reference_variant": summary.reference,
        "seeds": grid.seeds,
        "datasets": {
            dataset: {
                "card": study.cards[dataset],
                "variants": {
                    variant: {
                        score: {
                            **_known(summary.score(dataset, variant, score)),
                            "difference": _known(summary.difference(dataset, variant, score)),
                            "by_seed": summary.by_seed(dataset, variant, score),
                        }
                        for score in summary.names(dataset)
                    }
                    for variant in grid.variants
                },
            }
            for dataset in grid.datasets
        },
    }


def _number(values: Iterable[float]) -> Number:
    known = list(values)
    return Number(fmean(known) if known else nan, stdev(known) if len(known) > 1 else nan)


def _known(number: Number) -> dict[str, float | None]:
    return {name: value if value == value else None for name, value in number._asdict().items()}


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", float(value)
