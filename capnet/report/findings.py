"""What a data set's numbers say, in one honest sentence."""

from __future__ import annotations

from capnet.report.aggregate import Summary
from capnet.report.names import seeds_words, variant_name
from capnet.report.study import Study
from capnet.report.tables import per_cent, points, within_noise


def finding(study: Study, summary: Summary, dataset: str) -> str:
    """Name the form with the highest mAP and its lead over the reference, if it is one."""
    variants, seeds = study.config.grid.variants, study.config.grid.seeds
    reference = variant_name(summary.reference)
    best = max(variants, key=lambda variant: summary.score(dataset, variant, "mAP").mean)
    highest = f"{variant_name(best)} has the highest mAP, "
    highest += f"{per_cent(summary.score(dataset, best, 'mAP'))} %"
    alone = f" With {seeds_words(1)}, that is not a finding." if len(seeds) == 1 else ""
    if best == summary.reference:
        return f"{highest}: no other form is above it.{alone}"
    lead = summary.difference(dataset, best, "mAP")
    said = f"{highest}, {points(lead).removeprefix('≈ ')} points over {reference}"
    if alone:
        return f"{said}.{alone}"
    if within_noise(lead):
        return f"{said}: no more than the spread of that difference, so not a finding."
    return f"{said}, which is more than the spread of that difference over {len(seeds)} seeds."
