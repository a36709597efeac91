"""Whether the records seen are what the source file declares: their columns, types and key."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from invoices_assets.describe.evidence import Evidence
from invoices_assets.describe.finding import Finding, ok, unproven, wrong
from invoices_assets.normalize.converter import Converter
from invoices_assets.normalize.tables import NormalizedBatch
from invoices_assets.refresh.remarks import TOMBSTONES, unmarked_tombstones
from invoices_assets.source.columns.column import Column
from invoices_assets.source.columns.fields import has_field
from invoices_assets.source.naming import normalized

_MOST_NAMED = 8
_QUOTED = re.compile(r"`[^`]*`")


def on_records(seen: Evidence) -> Iterator[Finding]:
    """Columns, types and key of the records seen."""
    records = [record for record in seen.records if isinstance(record, dict)]
    if not records:
        return
    batch = Converter(seen.spec).convert(seen.records)
    yield from _on_columns(seen, records, batch)
    yield from _on_types(seen, batch)
    yield from _on_key(seen)
    yield from on_tombstones(seen, records)


def on_tombstones(seen: Evidence, records: list[Any]) -> Iterator[Finding]:
    """Whether records call themselves deleted, and the source file does not say what that means."""
    if seen.spec.marks.tombstone is not None:
        return
    for record in records:
        for field, value in record.items() if isinstance(record, dict) else ():
            if value is True and normalized(field) in TOMBSTONES:
                sentence, _, remedy = unmarked_tombstones(field).partition("; ")
                yield wrong("tombstones", f"Some {sentence}.", f"{remedy[:1].upper()}{remedy[1:]}.")
                return


def _on_columns(seen: Evidence, records: list[dict[str, Any]], batch: NormalizedBatch) -> Iterator[Finding]:
    fields = dict.fromkeys(path for record in records for path in _paths(record))
    filled = set(_filled(normalized(seen.spec.name), batch.tables))
    absent = 0
    declared = [column for column in seen.spec.columns.values() if column.deciding]
    for column in declared:
        finding = _on_column(column, records, fields, is_filled=column.name in filled or bool(batch.rejected))
        if finding is not None:
            absent += 1
            yield finding
    if len(declared) > absent and not batch.rejected:
        yield ok("columns", f"{len(declared) - absent} of {len(declared)} declared columns come with a value.")
    known = {name for column in seen.spec.columns.values() for name in (column.name, *map(normalized, _from(column)))}
    others = [field for field in fields if normalized(field.replace(".", "__")) not in known]
    if others:
        yield ok("columns", f"Fields that are loaded without a declaration: {_named(others)}.")


def _on_column(
    column: Column, records: list[dict[str, Any]], fields: Iterable[str], *, is_filled: bool
) -> Finding | None:
    """What is to be said of a declared column; None where it comes as declared."""
    sources, count = _from(column), len(records)
    is_there = any(
        has_field(record, source) for record in records for source in sources or [column.name.replace("__", ".")]
    )
    if sources and not is_there:
        named = " or ".join(f"`{source}`" for source in sources)
        instead = f"; it is filled by a field `{column.name}`" if is_filled else ""
        sentence = f"`x-from` of `{column.name}` never matches: none of {count} records has {named}{instead}."
        return wrong("columns", sentence, _closest(sources[0], fields))
    if is_filled:
        return None
    if is_there:
        return unproven("columns", f"`{column.name}` is null in each of {count} records.")
    return unproven("columns", f"`{column.name}` is declared, and no record has it.", _closest(column.name, fields))


def _on_types(seen: Evidence, batch: NormalizedBatch) -> Iterator[Finding]:
    total = len(seen.records)
    if not batch.rejected:
        yield ok("types", f"Each of {total} records can be stored as declared.")
    reasons = Counter(_shape_of(record.reason) for record in batch.rejected)
    examples = {_shape_of(record.reason): record.reason for record in reversed(batch.rejected)}
    for shape, count in reasons.most_common():
        sentence = f"{count} of {total} records cannot be stored as declared: {examples[shape]}."
        yield wrong("types", sentence, _type_remedy(examples[shape]))
    for remark, rows in batch.remarks.items():
        yield unproven("types", f"{remark} ({rows} rows).")


def _type_remedy(reason: str) -> str:
    if "no id" in reason:
        return "`primary_key`, or `x-from` of its column."
    if "ISO 8601" in reason or "is outside the calendar" in reason or "is not in the format" in reason:
        return "`x-format`: epoch_s, epoch_ms, or a strptime format such as %d.%m.%Y."
    if "no value and must have one" in reason:
        return "Leave `nullable: false` out where the API may give none."
    return "`data_type`, `precision` and `scale` of that column."


def _on_key(seen: Evidence) -> Iterator[Finding]:
    fields = ", ".join(f"`{field}`" for field in seen.spec.key_fields)
    keys = seen.keys([record for page in seen.pages or [seen.first] for record in page.records])
    without = keys.count(None)
    twice = [key for key, count in Counter(keys).items() if count > 1 and key is not None]
    if without:
        yield wrong("primary key", f"{without} of {len(keys)} records have no {fields}.", "`primary_key`.")
    if twice:
        yield wrong(
            "primary key",
            f"{len(twice)} keys come more than once in {len(keys)} records, such as {twice[0]!r}.",
            "`primary_key` of several columns, or a stable sort in `params`.",
        )
    if not without and not twice:
        yield ok("primary key", f"{fields} is there and different in each of {len(keys)} records.")


def _from(column: Column) -> list[str]:
    """The vendor's fields that a column is made of; none where it has its own name."""
    return list(column.sources) if column.x_from else []


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """The fields of a record as dotted paths, also those within the items of lists."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for item in value:
            yield from _paths(item, path)
    elif path:
        yield path


def _filled(root: str, tables: dict[str, pa.Table]) -> Iterator[str]:
    """The columns with a value in any row, by their paths from the root record."""
    for name, table in tables.items():
        beginning = name.removeprefix(root).removeprefix("__")
        for column in table.column_names:
            if table[column].null_count < len(table):
                yield f"{beginning}__{column}" if beginning else column


def _closest(wanted: str, fields: Iterable[str]) -> str:
    names = list(fields)
    close = get_close_matches(wanted, names, n=3, cutoff=0.5)
    return f"`x-from`: the records have {_named(close or names)}."


def _named(fields: list[str]) -> str:
    shown = ", ".join(f"`{field}`" for field in fields[:_MOST_NAMED])
    return shown if len(fields) <= _MOST_NAMED else f"{shown} and {len(fields) - _MOST_NAMED} more"


def _shape_of(reason: str) -> str:
    """A reason without the value that it shows, so that equal ones count together."""
    field = _QUOTED.match(reason)
    return f"{field[0] if field else ''}{reason.partition(':')[0]}"
