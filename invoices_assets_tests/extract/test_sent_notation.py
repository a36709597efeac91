"""A filter that takes another notation than the records have gets it, and loses nothing by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from invoices_assets.errors import SourceError
from invoices_assets.extract.watermark import Watermark
from invoices_assets.source.sending import as_sent, moment_sent
from invoices_assets_tests.support.invoices import invoice, stamped
from invoices_assets_tests.support.loader import Loader
from invoices_assets_tests.support.months import by_month, month
from invoices_assets_tests.support.sweep_helpers import config as default_config
from invoices_assets_tests.support.sweep_helpers import source_file, spec_of
from invoices_assets_tests.vendor.fake_api import Asked, FakeApi, Reply

PATH = "/v1/invoices"
BY_DAY = "%d/%m/%Y"
BERLIN = {"x-timezone": "Europe/Berlin"}


def sent_as(form: Any, column: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    incremental = {"cursor_path": "updated_at", "start_param": "since", "lag": 600, "x-format": form, **changes}
    content = default_config(incremental=incremental)
    content["resources"][0]["columns"]["updated_at"] = {"data_type": "timestamp", **(column or {})}
    return content


@pytest.mark.parametrize(
    ("form", "column", "start", "sent"),
    [
        (BY_DAY, {}, "2024-03-01T23:59:59Z", "01/03/2024"),
        (BY_DAY, BERLIN, "2024-03-01T23:59:59Z", "02/03/2024"),
        (BY_DAY, BERLIN, "2024-03-01T23:59:59", "01/03/2024"),
        ("%Y-%m-%d %H:%M", {}, "2024-03-01T23:59:59.999Z", "2024-03-01 23:59"),
        ("%Y-%m-%d %H:%M:%S", BERLIN, "2024-07-01T12:00:00Z", "2024-07-01 14:00:00"),
        ("%Y-%m-%dT%H:%M:%S%z", {}, "2024-03-01T12:00:00+02:00", "2024-03-01T10:00:00+0000"),
        # the hour that Berlin has twice: half past two may be the one or the other
        ("%Y-%m-%d %H:%M", BERLIN, "2024-10-27T01:30:00Z", "2024-10-27 01:30"),
        ("epoch_s", {}, "2024-03-01T12:00:00.900Z", 1709294400),
        ("epoch_ms", {}, "2024-03-01T12:00:00.9009Z", 1709294400900),
        (BY_DAY, {"x-format": "epoch_s"}, 1709294400, "01/03/2024"),
        ("epoch_ms", {"x-format": "epoch_s"}, 1709294400, 1709294400000),
        # an initial value that is already in the filter's notation
        (BY_DAY, {}, "31/12/2019", "31/12/2019"),
        ("epoch_s", {}, "1546300800", "1546300800"),
    ],
)
def test_a_start_is_written_as_declared_and_never_later(
    form: str, column: dict[str, Any], start: Any, sent: Any
) -> None:
    assert as_sent(spec_of(sent_as(form, column)), start) == sent


def test_a_cursor_of_texts_that_are_epochs_is_sent_and_read_as_one() -> None:
    content = default_config(incremental={"cursor_path": "updated_at", "start_param": "since"})
    content["resources"][0]["columns"]["updated_at"] = {"data_type": "timestamp", "x-format": "epoch_s"}
    spec = spec_of(content)
    assert as_sent(spec, "1709294400") == "1709294400"
    assert moment_sent(spec, "1709294400") == datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "form", "sent"),
    [
        ({"x-format": "%d-%m-%Y"}, None, "01-01-2019"),
        ({"x-format": "%d-%m-%Y"}, BY_DAY, "01/01/2019"),
        ({"x-format": "epoch_ms"}, None, 1546300800000),
        ({"x-format": "epoch_s", **BERLIN}, None, 1546297200),
        ({}, BY_DAY, "01/01/2019"),
        ({}, None, "2019-01-01"),
    ],
)
def test_the_first_day_of_a_window_that_is_the_filter_by_change_is_sent_as_other_days_are(
    column: dict[str, Any], form: str | None, sent: Any
) -> None:
    window = by_month("2019-01-01", **({"x-format": form} if form else {}))["resources"][0]["endpoint"]["incremental"]
    content = default_config(incremental=window)
    content["resources"][0]["columns"]["created_at"] = {"data_type": "timestamp", **column}
    spec = spec_of(content)
    assert as_sent(spec, "2019-01-01") == sent
    assert isinstance(moment_sent(spec, "2019-01-01"), datetime)


def test_a_start_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(SourceError, match="cannot be applied to 17, which no `x-format`"):
        as_sent(spec_of(sent_as(BY_DAY)), 17)


def by_day(asked: Asked, records: list[dict[str, Any]]) -> Reply:
    """An API that takes days of its own notation only, and answers 400 to everything else."""
    since = asked.query.get("since", ["01/01/1970"])[0]
    try:
        start = datetime.strptime(since, BY_DAY).replace(tzinfo=UTC)
    except ValueError:
        return Reply(400)
    found = [record for record in records if datetime.fromisoformat(record["updated_at"]) >= start]
    return Reply(body={"data": found, "total": len(found)})


@pytest.mark.parametrize("place", ["incremental", "params", "placeholder"])
def test_a_filter_by_day_brings_all_that_changed_on_that_day(api: FakeApi, tmp_path: Path, place: str) -> None:
    records = [invoice("1", stamped(0)), invoice("2", stamped(-86400))]
    api.route(PATH)(lambda asked: by_day(asked, records))
    filtered = {"cursor_path": "updated_at", "lag": 600, "x-format": BY_DAY}
    config = partial(default_config, paginator="single_page")
    content = {
        "incremental": lambda: config(incremental={**filtered, "start_param": "since"}),
        "params": lambda: config(incremental=None, params={"since": {"type": "incremental", **filtered}}),
        "placeholder": lambda: config(
            incremental={**filtered, "initial_value": "2000-01-01"}, params={"since": "{incremental.start_value}"}
        ),
    }[place]()
    loader = Loader(tmp_path, api.url, dict(source_file(tmp_path, content).config))
    loader.refresh()
    assert loader.cursor == stamped(0), "it stays in the notation of the records"
    records.append(invoice("3", stamped(-3600)))  # written late, earlier on that day
    api.asked.clear()
    done = loader.refresh()
    assert done.loaded is not None
    assert done.loaded.new == 1
    assert {asked.query["since"][0] for asked in api.asked} == {"01/03/2024"}
    assert not [remark for remark in done.remarks if "older than asked for" in remark]


def test_records_from_before_what_was_sent_are_remarked_on() -> None:
    read = Watermark(spec_of(sent_as(BY_DAY)), stamped(0))
    read.read([invoice("1", stamped(-3600)), invoice("2", stamped(-86400))])
    assert read.before_start == 1


@pytest.mark.parametrize(
    ("form", "start", "end"), [(BY_DAY, "01/03/2024", "01/04/2024"), ("epoch_s", "1709251200", "1711929600")]
)
def test_both_ends_of_a_window_are_written_so(form: str, start: str, end: str) -> None:
    content = by_month(**{"x-format": form})
    assert month(3).parameters(spec_of(content)) == {"created_from": start, "created_to": end}
    cursor = spec_of(content).cursor
    assert cursor is not None
    assert cursor.sent_as is None, "the filter by change has a notation of its own"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x-format": "%d"}, "`x-format` '%d' in `incremental`; it must be epoch_s, epoch_ms or a strptime format"),
        ({"x-format": 7}, "`x-format` 7 in `incremental`"),
        ({"start_param": None}, "needs a `start_param` that is sent"),
        ({"x-timezone": "UTC"}, "x-timezone"),
    ],
)
def test_a_notation_that_cannot_be_sent_is_refused(change: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    content = sent_as(BY_DAY, **{key: value for key, value in change.items() if value is not None})
    for key in [key for key, value in change.items() if value is None]:
        del content["resources"][0]["endpoint"]["incremental"][key]
    with pytest.raises(SourceError, match=sentence):
        source_file(tmp_path, content)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M", "%d.%m.%Y %I %p", BY_DAY])
def test_what_is_sent_is_never_later_than_the_start_in_any_season(form: str) -> None:
    spec = spec_of(sent_as(form, BERLIN))
    zone = spec.columns["updated_at"].zone
    for step in range(0, 366 * 24, 7):
        moment = datetime(2024, 1, 1, 0, 59, 59, tzinfo=UTC) + timedelta(hours=step)
        sent = as_sent(spec, moment.isoformat().replace("+00:00", "Z"))
        read = datetime.strptime(sent, form)
        assert max(read.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)) <= moment
