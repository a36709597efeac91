"""Findings as text for people, and as JSON for machines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from invoices_assets.describe.finding import Finding, Verdict

_WIDTH = {"verdict": 8, "subject": 13}


def as_text(findings: Sequence[Finding]) -> str:
    """A line for each finding, by resource, with its remedy below; for example

    invoices
      ok        primary key    `id` is there and different in each of 250 records.
      wrong     columns        `total` never comes: no record has `total_ttc`.
                               -> `x-from`: the records have `amount`, `currency`, `id`.
    """
    lines: list[str] = []
    for resource, found in groupby(findings, key=lambda finding: finding.resource):
        lines += [resource] if resource else []
        for finding in found:
            verdict, subject = finding.verdict.ljust(_WIDTH["verdict"]), finding.subject.ljust(_WIDTH["subject"])
            lines.append(f"  {verdict}  {subject}  {finding.sentence}")
            if finding.remedy:
                lines.append(" " * (6 + sum(_WIDTH.values())) + f"-> {finding.remedy}")
    return "\n".join([*lines, _sum_of(findings)])


def as_json(findings: Sequence[Finding]) -> str:
    """An object with the worst verdict and all findings; for example

    {"verdict": "unproven", "findings": [{"subject": "paging", "verdict": "unproven", "sentence": ..., "remedy": ...}]}
    """
    found = {finding.verdict for finding in findings}
    worst = next((verdict for verdict in reversed(Verdict) if verdict in found), Verdict.OK)
    told = {"verdict": worst, "findings": [asdict(finding) for finding in findings]}
    return json.dumps(told, ensure_ascii=False, indent=2)


def is_wrong(findings: Sequence[Finding]) -> bool:
    """Whether anything is wrong."""
    return any(finding.verdict is Verdict.WRONG for finding in findings)


def _sum_of(findings: Sequence[Finding]) -> str:
    counted = Counter(finding.verdict for finding in findings)
    return ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict])
