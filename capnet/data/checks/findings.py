"""What a check finds wrong with a data set, and whether the user lets it through."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from capnet.data.layouts import DatasetError
from capnet.settings import Check, Dataset

log = logging.getLogger(__name__)
ALLOWABLE = get_args(Check)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in which split or files, and what to do about it."""

    check: str
    text: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.check}: {self.text}; {self.remedy}"


def settle(findings: Sequence[Finding], settings: Dataset, name: str) -> list[dict[str, str]]:
    """Return the findings as {check, reason, finding} if the user allows all of them.

    `name` is the data set's key in params.yaml. A finding whose check is not in ALLOWABLE leaves
    nothing sound to train on or to score, so nobody can allow it. Raises DatasetError with every
    finding that is not allowed; warns of an allowance without a finding.
    """
    reasons: dict[str, str] = {check: reason for check, reason in settings.allow.items()}
    refused = [finding for finding in findings if finding.check not in reasons]
    if refused:
        lines = "".join(f"\n  {finding}" for finding in refused)
        raise DatasetError(f"{settings.root} fails its checks:{lines}{_way_out(refused, name)}")
    for check in reasons:
        if check not in {finding.check for finding in findings}:
            log.warning("datasets.%s.allow.%s: not needed, the check finds nothing", name, check)
    return [
        {"check": finding.check, "reason": reasons[finding.check], "finding": finding.text}
        for finding in findings
    ]


def _way_out(refused: Sequence[Finding], name: str) -> str:
    """Say how to use the data set as it is, if that can be."""
    checks = dict.fromkeys(finding.check for finding in refused)
    never = [check for check in checks if check not in ALLOWABLE]
    if never:
        return f"\nNobody can allow {', '.join(never)}: nothing trained or scored would be sound."
    block = ", ".join(f"{check}: ..." for check in checks)
    return (
        "\nIf the data set is meant to be so, give your reasons, which the report shows: "
        f"datasets.{name}.allow: {{{block}}}"
    )
