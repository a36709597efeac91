"""What a refresh did, in one sentence; and what is to be looked at."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from invoices_assets.extract.http.stats import HttpStats
from invoices_assets.extract.sweep import SweepResult
from invoices_assets.load.load import LoadResult
from invoices_assets.load.reports.amounts import AGES
from invoices_assets.load.reports.overview import Amounts, Overview
from invoices_assets.metadata.summary import summary_of
from invoices_assets.refresh.result import RefreshResult
from invoices_assets_tests.support.column_helpers import declared

HUGE = Decimal("-12345678901234567890123456789.123456789")
END = "the API's total of 14712 was reached"


def amounts(currency: str | None, is_open: str | None, overdue: str = "0") -> Amounts:
    late = Decimal(overdue)
    rest = Decimal(is_open or 0) - late
    ages = {**dict.fromkeys(AGES, Decimal(0)), "not_due": rest, "days_1_30": late} if is_open is not None else {}
    return Amounts(currency, 1, None if is_open is None else Decimal(is_open), ages)


def refreshed(
    *shown: Amounts, covers: str = "everything", swept: dict[str, Any] | None = None, **loaded: Any
) -> RefreshResult:
    """A refresh that found all of 14,712 invoices, 31 of them new and 5 changed."""
    load = LoadResult(**{"new": 31, "changed": 5, "live_rows": 14_712, "table_rows": 14_800, **loaded})
    load.overview = Overview(list(shown), [])
    sweep = SweepResult(**{"rows": 14_712, "complete": True, "proven": True, "end": END, **(swept or {})})
    return RefreshResult(declared({}), sweep, HttpStats(), None, None, covers, load)


def test_the_sentence_of_a_known_load() -> None:
    assert summary_of(refreshed(amounts("EUR", "1204331.2", "108389.81"))) == (
        "**14,712 invoices**, all that the API has; 31 new, 5 changed, none rejected; "
        "EUR 1,204,331.20 open, 9 % overdue."
    )


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (refreshed(new=0, changed=0), "all that the API has; nothing new, none rejected."),
        (refreshed(covers="changes"), "up to date with the API; 31 new, 5 changed, none rejected."),
        (refreshed(covers="2026-03"), "with all of 2026-03; 31 new, 5 changed, none rejected."),
        (refreshed(deleted=1_200, returned=2), "; 31 new, 5 changed, 2 returned, 1,200 deleted, none rejected."),
        (refreshed(swept={"complete": False}), "of which a trial read only some; "),
    ],
)
def test_what_was_covered_and_what_has_changed(done: RefreshResult, said: str) -> None:
    assert said in summary_of(done)


def test_rejected_records_are_counted_and_their_table_is_named() -> None:
    said = summary_of(refreshed(rejected=3))
    assert said.startswith("**14,712 invoices**, all that the API has; 31 new, 5 changed, 3 rejected.")
    assert said.endswith("\n\n⚠ 3 rejected, see `invoices_rejected`.")


def test_an_end_that_nothing_proves_is_said_with_its_reason() -> None:
    why = "nothing proves that these are all: the only answer has no `nxt`"
    said = summary_of(refreshed(swept={"proven": False, "end": why}))
    assert "and nothing that the API said proves that these are all; 31 new" in said
    assert said.endswith(f"\n\n⚠ {why}.")


def test_a_dry_run_says_that_nothing_was_loaded() -> None:
    done = replace(refreshed(), loaded=None)
    assert summary_of(done) == "**A dry run**: 14,712 invoices fetched, nothing loaded."


def test_three_currencies_are_told_and_how_many_more_there_are() -> None:
    said = summary_of(refreshed(*(amounts(code, "5") for code in ("EUR", "JPY", "USD", "GBP", "SEK"))))
    assert said.endswith(
        "; EUR 5.00 open, 0 % overdue, JPY 5 open, 0 % overdue, USD 5.00 open, 0 % overdue (and 2 more currencies)."
    )


def test_of_amounts_that_nobody_knows_nothing_is_said() -> None:
    assert summary_of(refreshed(amounts("EUR", None))).endswith("5 changed, none rejected.")


def test_a_currency_in_small_letters_is_a_currency() -> None:
    assert "EUR 5.00 open" in summary_of(refreshed(amounts("eur", "5")))


@pytest.mark.parametrize(("is_open", "overdue"), [("-5", "5"), ("1", "3"), ("5", "-1")])
def test_a_share_that_credit_notes_make_senseless_is_not_told(is_open: str, overdue: str) -> None:
    assert "%" not in summary_of(refreshed(amounts("EUR", is_open, overdue)))


def test_amounts_with_many_digits_are_exact() -> None:
    assert "EUR -12,345,678,901,234,567,890,123,456,789.123456789 open" in summary_of(
        refreshed(amounts("EUR", str(HUGE)))
    )


@pytest.mark.parametrize(
    "currency", ["<img src=x onerror=alert(1)>", "![](http://x.example)", "**", "\n\n# x", "E" * 900]
)
def test_a_currency_that_is_none_is_not_repeated(currency: str) -> None:
    assert "; other 5.00 open, 0 % overdue." in summary_of(refreshed(amounts(currency, "5")))


def worst() -> RefreshResult:
    done = refreshed(
        *(amounts("X" * 999, str(HUGE), str(HUGE)) for _ in range(5)),
        swept={"proven": False, "end": "e" * 999},
        **dict.fromkeys(("new", "changed", "returned", "deleted", "rejected", "live_rows"), 10**9),
    )
    done.notes.extend(f"{'&<' * 400} note {number}" for number in range(9))
    return done


def test_the_worst_summary_is_short_enough_to_be_shown_in_place() -> None:
    assert len(summary_of(worst())) < 1000


def test_remarks_that_find_no_place_are_counted() -> None:
    lines = summary_of(worst()).split("\n\n")
    shown = len(lines) - 2
    assert shown >= 1
    assert lines[-1] == f"⚠ {11 - shown} more remarks, see `remarks`"


@pytest.mark.parametrize(
    "hostile", ["![x](http://x.example/y)", "<img src=x>", "a\n\n# b", "[x](javascript:y)", "`![x](http://x.example)"]
)
def test_what_an_api_wrote_into_a_remark_is_text(hostile: str) -> None:
    done = refreshed()
    done.notes.append(f"the field {hostile} is odd")
    said = summary_of(done)
    assert said.count("\n\n") == 1
    outside = re.sub("`[^`]+`", "", said)
    assert not re.search(r"(?<!\\)(<|\[|`)|# b\n", outside)


def test_names_in_a_remark_are_shown_as_they_are() -> None:
    done = refreshed()
    done.notes.append("no record has a value for `a_b[0]` at its `x-from: c_d`")
    assert summary_of(done).endswith("⚠ no record has a value for `a_b[0]` at its `x-from: c_d`.")
