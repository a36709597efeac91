"""The charts of amounts: images that any page can show."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import unquote
from xml.etree import ElementTree as Xml

import pytest

from invoices_assets.load.reports.amounts import AGES
from invoices_assets.load.reports.overview import Amounts
from invoices_assets.metadata.chart import LONG_MONTHS, SHORT_MONTHS, large_chart, last_months, small_chart

HOSTILE = ["<script>alert(1)</script>", "'/><a href='x", ")](>\n\n# x", "€" * 500, "", None, "]]>"]
HUGE = Decimal("12345678901234567890123456789.123456789")
THIS_MONTH = datetime.now(UTC).date().replace(day=1)


def months_back(count: int) -> list[date]:
    months = [THIS_MONTH]
    while len(months) < count:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months


def amounts(currency: str | None = "EUR", value: Decimal = Decimal(7), months: int = 30) -> Amounts:
    return Amounts(currency, 3, value * 5, dict.fromkeys(AGES, value), dict.fromkeys(months_back(months), value))


def image(markdown: str | None) -> Xml.Element:
    """The image, taken out of Markdown as a browser would take it."""
    assert markdown is not None
    title, _, rest = markdown.partition("](<data:image/svg+xml,")
    assert title.startswith("![")
    assert rest.endswith(">)")
    assert not set(rest[:-2]) & set("<>\n")
    return Xml.fromstring(unquote(rest[:-2]))


def bars(markdown: str | None) -> list[int]:
    """How many bars each path has."""
    paths = image(markdown).iter("{http://www.w3.org/2000/svg}path")
    return [path.attrib["d"].count("v-") for path in paths if "stroke" in path.attrib]


@pytest.mark.parametrize("currency", HOSTILE)
@pytest.mark.parametrize("value", [HUGE, -HUGE, Decimal(0), Decimal("0.000000001")])
def test_a_chart_is_valid_whatever_the_api_calls_its_currency(currency: str | None, value: Decimal) -> None:
    for draw in (small_chart, large_chart):
        texts = "".join(image(draw([amounts(currency, value)])).itertext())
        assert currency is None or len(currency) < 4 or currency not in texts


@pytest.mark.parametrize("currency", [*HOSTILE, "EUR"])
@pytest.mark.parametrize("value", [HUGE, -HUGE, Decimal(1)])
def test_the_small_chart_is_short_enough_to_be_shown_in_place(currency: str | None, value: Decimal) -> None:
    assert len(str(small_chart([amounts(currency, value)]))) < 1000


def test_each_month_has_a_bar() -> None:
    assert bars(small_chart([amounts()])) == [SHORT_MONTHS, 1, 4]
    assert bars(large_chart([amounts()]))[0] == LONG_MONTHS


def test_a_month_without_rows_has_no_bar_and_keeps_its_place() -> None:
    newest, _, third = months_back(3)
    shown = last_months({newest: Decimal(1), third: Decimal(2)}, 12)
    assert list(shown.values())[-3:] == [2, 0, 1]
    assert bars(small_chart([Amounts("EUR", 2, None, by_month={newest: Decimal(1), third: Decimal(2)})])) == [2]


def test_a_month_of_credit_notes_has_no_bar() -> None:
    newest, second = months_back(2)
    shown = Amounts("EUR", 2, None, by_month={newest: Decimal(-5), second: Decimal(5)})
    assert bars(small_chart([shown])) == [1]
    assert bars(large_chart([shown])) == [1]


def test_nothing_but_credit_notes_is_a_chart_without_bars() -> None:
    assert sum(bars(small_chart([amounts(value=Decimal(-5))]))) == 0


def test_a_day_in_the_future_does_not_shift_the_months() -> None:
    shown = amounts()
    before = small_chart([shown])
    shown.by_month[date(2999, 1, 1)] = Decimal(10**6)
    assert small_chart([shown]) == before


def test_the_first_year_of_the_calendar_can_be_drawn() -> None:
    assert last_months({date(1, 1, 1): Decimal(1)}, 12) == {date(1, 1, 1): 1}


@pytest.mark.parametrize("nothing", [[], [Amounts("EUR", 2, None)], [Amounts("EUR", 2, Decimal(5))]])
def test_where_there_is_nothing_to_draw_there_is_no_chart(nothing: list[Amounts]) -> None:
    assert (small_chart(nothing), large_chart(nothing)) == (None, None)


def test_the_large_chart_has_the_largest_currencies_with_their_figures() -> None:
    codes = ["EUR", "USD", "JPY", "GBP", "CHF", "SEK"]
    texts = [text for text in image(large_chart([amounts(code) for code in codes])).itertext() if "invoiced" in text]
    figures = ["7.00", "7.00", "7", "7.00", "7.00"]
    wanted = zip(codes[:5], figures, strict=True)
    assert texts == [f"{code} invoiced by month, at most {figure}" for code, figure in wanted]
