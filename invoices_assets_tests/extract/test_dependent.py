"""A record that hangs on another one is identified by its parent and its key, unless the source file says otherwise."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.api import Api
from invoices_assets.extract.dependent import sweep_resource
from invoices_assets.extract.sweep import SweepResult
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.file import DEFAULT_SOURCE, Source
from invoices_assets_tests.support.paged_api import by_offset, rows
from invoices_assets_tests.support.sweep_helpers import Records, config
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

PAYMENTS = "/v1/invoices/{}/payments"


def sweep_payments(api: FakeApi, field: str = "id", **resource: Any) -> tuple[SweepResult, Records]:
    """Sweeps the payments of each invoice.

    Parameters:
        field: of the invoice, that is in the path.
    """
    path = PAYMENTS.format(f"{{resources.invoices.{field}}}")
    return sweep_last(api, {"name": "payments", "path": path, **resource})


def sweep_last(
    api: FakeApi, *dependents: dict[str, Any], columns: dict[str, Any] | None = None
) -> tuple[SweepResult, Records]:
    """Sweeps the last one of some resources that are declared behind `invoices`.

    Parameters:
        columns: further ones of `invoices`.
    """
    content = config()
    content["resources"][0]["columns"].update(columns or {})
    page = {"data_selector": "data", "paginator": {"type": "offset", "limit": 10}}
    for each in dependents:
        endpoint = {"path": each["path"], **page}
        declared = {name: value for name, value in each.items() if name != "path"}
        content["resources"].append({**declared, "endpoint": endpoint})
    api_of_test = Api(api.url, "key", Redactor(["key"]))
    specs = api_of_test.resources(Source(DEFAULT_SOURCE, content))
    spec, records = specs[dependents[-1]["name"]], Records()
    with closing(api_of_test.client(spec)) as http:
        return sweep_resource(spec, specs, api_of_test, http, records), records


@pytest.fixture
def numbered(api: FakeApi) -> FakeApi:
    """Twenty invoices with three payments each, numbered from 1 in every one."""
    api.route("/v1/invoices")(by_offset(rows(20), total=20))
    for invoice in range(20):
        api.route(PAYMENTS.format(invoice))(by_offset(rows(3, first=1), total=3))
    return api


def test_a_key_that_is_unique_within_its_parent_only_is_refused(numbered: FakeApi) -> None:
    with pytest.raises(IncompleteSweep, match=r"comes under several `invoices`.*`primary_key: \[_invoices_id, id\]`"):
        sweep_payments(numbered)


def test_a_key_with_the_field_of_the_parent_identifies_every_record(numbered: FakeApi) -> None:
    key = {"include_from_parent": ["id"], "primary_key": ["_invoices_id", "id"]}
    swept, records = sweep_payments(numbered, **key)
    assert len({(record["_invoices_id"], record["id"]) for record in records.records}) == 60
    assert (swept.rows, swept.distinct) == (60, 60)


def test_a_key_that_is_unique_over_all_parents_is_enough(api: FakeApi) -> None:
    api.route("/v1/invoices")(by_offset(rows(4), total=4))
    for invoice in range(4):
        api.route(PAYMENTS.format(invoice))(by_offset(rows(3, first=invoice * 3), total=3))
    assert sweep_payments(api)[1].ids == list(range(12))


@pytest.mark.parametrize("count", [1, 2])
def test_a_key_of_nothing_but_the_parent_means_one_record_for_each(api: FakeApi, count: int) -> None:
    api.route("/v1/invoices")(by_offset(rows(3), total=3))
    for invoice in range(3):
        api.route(PAYMENTS.format(invoice))(by_offset(rows(count), total=count))
    key = {"include_from_parent": ["id"], "primary_key": ["_invoices_id"]}
    if count == 1:
        assert sweep_payments(api, **key)[0].distinct == 3
    else:
        with pytest.raises(IncompleteSweep):
            sweep_payments(api, **key)


def test_an_end_that_one_parent_does_not_prove_is_unproven(api: FakeApi) -> None:
    api.route("/v1/invoices")(by_offset(rows(2), total=2))
    api.route(PAYMENTS.format(0))(by_offset(rows(3), total=3))

    def windowed(asked: Any) -> Reply:
        return Reply(400) if asked.query["offset"] == ["10"] else by_offset(rows(10, first=3), total=10)(asked)

    api.route(PAYMENTS.format(1))(windowed)
    swept, _ = sweep_payments(api)
    assert swept.complete
    assert not swept.proven


def test_a_record_that_several_parents_name_is_asked_for_once(api: FakeApi) -> None:
    api.route("/v1/invoices")(by_offset([row | {"customer": "c7"} for row in rows(3)], total=3))
    api.route(PAYMENTS.format("c7"))(by_offset(rows(2), total=2))
    swept, records = sweep_payments(api, "customer")
    assert (swept.proven, records.ids) == (True, [0, 1])


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_is_asked_for_under_a_parent_without_the_value_and_that_is_told(api: FakeApi, nothing: Any) -> None:
    customers = ["c7", nothing, nothing]
    api.route("/v1/invoices")(
        by_offset([row | {"customer": name} for row, name in zip(rows(3), customers, strict=True)], total=3)
    )
    api.route(PAYMENTS.format("c7"))(by_offset(rows(2), total=2))
    swept, records = sweep_payments(api, "customer")
    assert (swept.proven, records.ids) == (True, [0, 1])
    assert "2 records of `invoices` have no value for `customer`, so no `payments` were asked for" in swept.remarks


def test_nothing_is_asked_for_under_a_tombstone(api: FakeApi) -> None:
    api.route("/v1/invoices")(by_offset([row | {"deleted": row["id"] == 1} for row in rows(3)], total=3))
    for invoice in (0, 2):
        api.route(PAYMENTS.format(invoice))(by_offset(rows(1, first=invoice), total=1))
    payments = {"name": "payments", "path": PAYMENTS.format("{resources.invoices.id}")}
    swept, records = sweep_last(api, payments, columns={"deleted": {"data_type": "bool", "hard_delete": True}})
    assert (swept.proven, records.ids) == (True, [0, 2])


def test_a_resource_may_hang_on_one_that_hangs_on_another(api: FakeApi) -> None:
    api.route("/v1/invoices")(by_offset(rows(2), total=2))
    for invoice in range(2):
        api.route(PAYMENTS.format(invoice))(by_offset(rows(2, first=10 * invoice), total=2))
        for payment in (10 * invoice, 10 * invoice + 1):
            api.route(f"/v1/{invoice}/{payment}/fees")(by_offset(rows(1, first=payment), total=1))
    payments = {
        "name": "payments",
        "path": PAYMENTS.format("{resources.invoices.id}"),
        "include_from_parent": ["id"],
    }
    fees = {"name": "fees", "path": "/v1/{resources.payments._invoices_id}/{resources.payments.id}/fees"}
    swept, records = sweep_last(api, payments, fees)
    assert (swept.proven, records.ids) == (True, [0, 1, 10, 11])


@pytest.mark.parametrize(
    ("value", "sent"),
    [("A#1", "A%231"), ("A?b=c", "A%3Fb%3Dc"), ("A&B+C", "A%26B%2BC"), ("a/b", "a/b"), ("%C3", "%C3")],
)
def test_a_value_in_a_path_does_not_end_it(api: FakeApi, value: str, sent: str) -> None:
    api.route("/v1/invoices")(by_offset([{**row, "id": value} for row in rows(1)], total=1))
    api.route(PAYMENTS.format(sent))(by_offset(rows(2), total=2))
    assert sweep_payments(api)[1].ids == [0, 1]


def test_a_value_that_is_the_whole_path_is_one(api: FakeApi) -> None:
    api.route("/v1/invoices")(by_offset([{**row, "payments": "/v1/payments?of=7"} for row in rows(1)], total=1))
    api.route("/v1/payments")(by_offset(rows(2), total=2))
    sweep_last(api, {"name": "payments", "path": "{resources.invoices.payments}"})
    assert api.asked[-1].query["of"] == ["7"]
