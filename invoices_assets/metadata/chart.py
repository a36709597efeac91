"""Charts of amounts, as SVG inside Markdown: Dagster shows an image with a `data:` address where it stands.

Plain text, for a library of charts costs more at import than a whole refresh, and Dagster shows Markdown in place only
below 1,000 characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import quote
from xml.sax.saxutils import escape

from invoices_assets.load.reports.overview import Amounts
from invoices_assets.metadata.money import code, money

SHORT_MONTHS, LONG_MONTHS = 12, 24
_MOST_CURRENCIES = 5
_AGE_LABELS = ("not due", "1-30 days", "31-60", "61-90", "over 90")
_INVOICED, _OPEN, _LATE = "#4878cf", "#8a9", "#d65f5f"
_TEXT = "#777"
_READABLE = " =':/,;.()-"


def small_chart(amounts: Sequence[Amounts]) -> str | None:
    """Of the currency with the most rows: invoiced in each of twelve months, and what is open by age.

    Returns:
        Markdown of less than 1,000 characters; None where there is nothing to draw.
    """
    shown = next(iter(amounts), None)
    if shown is None or not (shown.by_month or shown.by_age):
        return None
    months, ages = last_months(shown.by_month, SHORT_MONTHS), list(shown.by_age.values())
    parts = []
    if months:
        parts += [_text(0, 9, f"{code(shown.currency)} by month to {_month(max(months))}")]
        parts += [_bars(list(months.values()), 0, 14, _INVOICED)]
    if ages:
        parts += [_text(200, 9, "open by days late"), _bars(ages[:1], 200, 14, _OPEN, ages)]
        parts += [_bars(ages[1:], 223, 14, _LATE, ages, apart=23)]
        parts += [_text(200 + 23 * place, 76, label) for place, label in enumerate(("due", "1", "31", "61", "91+"))]
    return _image("Invoiced by month, open by age", parts, 320, 80)


def large_chart(amounts: Sequence[Amounts]) -> str | None:
    """Of each of the largest currencies: invoiced in each of 24 months, and what is open by age, with figures.

    Returns:
        Markdown; None where there is nothing to draw.
    """
    shown = [each for each in amounts[:_MOST_CURRENCIES] if each.by_month or each.by_age]
    if not shown:
        return None
    parts = [part for row, each in enumerate(shown) for part in _row_of(each, 150 * row)]
    return _image("Invoiced by month and open by age, by currency", parts, 700, 150 * len(shown))


def _row_of(amounts: Amounts, top: int) -> Iterator[str]:
    months, ages, currency = last_months(amounts.by_month, LONG_MONTHS), amounts.by_age, amounts.currency
    if months:
        most = money(max(months.values()), currency)
        yield _text(0, top + 12, f"{code(currency)} invoiced by month, at most {most}")
        yield _bars(list(months.values()), 0, top + 20, _INVOICED, height=90)
        for place, month in enumerate(months):
            if place % 6 == 0:
                yield _text(14 * place, top + 124, _month(month))
    widest = max(map(abs, ages.values()), default=Decimal(0)) or Decimal(1)
    for place, (label, value) in enumerate(zip(_AGE_LABELS, ages.values(), strict=False)):
        y, width = top + 32 + 20 * place, round(120 * max(value, Decimal(0)) / widest)
        yield _text(370, y, label) + _text(570, y, money(value, currency))
        yield f"<path fill='{_LATE if place else _OPEN}' d='M430 {y - 9}h{width}v11h-{width}z'/>"


def last_months(by_month: Mapping[date, Decimal], count: int) -> dict[date, Decimal]:
    """The last months up to now, or up to the last one with a row; a month without rows has 0.

    Parameters:
        by_month: first day of the month -> amount.
        count: how many months.
    """
    past = [month for month in by_month if month <= datetime.now(UTC).date()]
    if not past:
        return {}
    last = max(past)
    at = last.year * 12 + last.month - 1
    months = [date(month // 12, month % 12 + 1, 1) for month in range(max(at - count + 1, 12), at + 1)]
    return {month: by_month.get(month, Decimal(0)) for month in months}


def _bars(
    values: Sequence[Decimal],
    left: int,
    top: int,
    color: str,
    scale: Sequence[Decimal] = (),
    *,
    height: int = 50,
    apart: int = 14,
) -> str:
    """One path of upright bars; what is not above 0 has none.

    Parameters:
        left, top, height, apart: in pixels.
        scale: further values that the highest bar is to be measured by.
    """
    highest = max([*values, *scale, Decimal(0)]) or Decimal(1)
    path = "".join(
        f"M{left + apart * place + 5} {top + height}v-{max(round(height * value / highest), 1)}"
        for place, value in enumerate(values)
        if value > 0
    )
    return f"<path stroke='{color}' stroke-width='10' d='{path}'/>"


def _text(x: int, y: int, text: str) -> str:
    return f"<text x='{x}' y='{y}'>{escape(text)}</text>"


def _month(month: date) -> str:
    return f"{month:%Y-%m}"


def _image(title: str, parts: Sequence[str], width: int, height: int) -> str:
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' font-family='sans-serif' "
        f"font-size='10' fill='{_TEXT}'>{''.join(parts)}</svg>"
    )
    # in angle brackets, Markdown takes blanks and quotes as they are (CommonMark 0.31, section 6.3)
    return f"![{title}](<data:image/svg+xml,{quote(svg, safe=_READABLE)}>)"
