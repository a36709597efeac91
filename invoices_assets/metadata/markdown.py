"""Sentences as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NAMES_OR_MARKS = re.compile(r"(`[^`]+`)|[\\`*<&\[\]]")
"""A name as it stands; or what would begin something else, and is escaped (CommonMark 0.31, section 2.4)."""


def sentence(text: str) -> str:
    """A sentence in one line, of which only names in `backticks` are Markdown.

    An API may have written parts of it: they become no image, link, heading or HTML.
    """
    text = " ".join(text.split())
    return _NAMES_OR_MARKS.sub(lambda found: found[0] if found[1] else f"\\{found[0]}", text)


def bullets(sentences: Sequence[str]) -> str:
    """A list of sentences."""
    return "\n".join(f"- {sentence(each)}" for each in sentences)
