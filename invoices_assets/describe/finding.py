"""What was found out about a source description."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How one line of a description stands against what the API answers."""

    OK = "ok"
    UNPROVEN = "unproven"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was found out.

    Parameters:
        subject: what it is about, such as `primary key`.
        verdict: `ok`, `unproven` where the answers seen do not tell, or `wrong` where they contradict.
        sentence: what was seen, for people; without a secret.
        remedy: what to write into the YAML, or to look at; empty where there is nothing to do.
        resource: that was asked for.
    """

    subject: str
    verdict: Verdict
    sentence: str
    remedy: str = ""
    resource: str = ""


def ok(subject: str, sentence: str) -> Finding:
    """The answers bear a line of the description out."""
    return Finding(subject, Verdict.OK, sentence)


def unproven(subject: str, sentence: str, remedy: str = "") -> Finding:
    """The answers neither bear it out nor contradict it."""
    return Finding(subject, Verdict.UNPROVEN, sentence, remedy)


def wrong(subject: str, sentence: str, remedy: str = "") -> Finding:
    """The answers contradict it: a run would fail, or load less or other than there is."""
    return Finding(subject, Verdict.WRONG, sentence, remedy)
