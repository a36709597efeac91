"""The `Link` header, by RFC 8288: relations in any case, several in one, titles with commas, no quotes needed."""

from __future__ import annotations

import re

_TARGET = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER = re.compile(r'\s*;\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')


def links_of(header: str) -> dict[str, str]:
    """Relation, in lower case -> its address, as it stands there.

    Parameters:
        header: one field or several, joined with commas, such as
            `</items?page=2>; rel="next"; title="2, of 9", </items?page=9>; rel="last"`. What cannot be read is no link.
    """
    found: dict[str, str] = {}
    at = 0
    while target := _TARGET.match(header, at):
        at = target.end()
        relations = ""
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            name, quoted, plain = parameter.groups()
            if name.lower() == "rel" and not relations:  # a second one is ignored, says the RFC
                relations = quoted or plain or ""
        for relation in relations.lower().split():
            found.setdefault(relation, target[1].strip())
    return found
