"""A record that hangs on another one is identified by its parent and its key, unless the source file says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from invoices_assets.errors import IncompleteSweep
from invoices_assets.extract.api import Api
from invoices_assets.extract.dependent import sweep_dependent
from invoices_assets.extract.sweep import SweepResult
from invoices_assets.redaction.redactor import Redactor
from invoices_assets.source.file import DEFAULT_SOURCE, Source
from invoices_assets_tests.support.paged_api import by_offset, rows
from invoices_assets_tests.support.sweep_helpers import Records, config
from invoices_assets_tests.vendor.fake_api import FakeApi, Reply

PAYMENTS = "/v1/invoices/{}/payments"


def sweep_payments(api: FakeApi, **resource: Any) -> tuple[SweepResult, Records]:
    content = config()
    page = {"data_selector": "data", "paginator": {"type": "offset", "limit": 10}}
    path = PAYMENTS.format("{resources.invoices.id}")
    content["resources"].append({"name": "payments", "endpoint": {"path": path, **page}, **resource})
    specs = {name: spec.with_auth("key") for name, spec in Source(DEFAULT_SOURCE, content).resources.items()}
    connection = Api(api.url, "key", Redactor(["key"]))
    http, records = connection.client(specs["payments"]), Records()
    try:
        return sweep_dependent(specs["payments"], specs["invoices"], connection, http, records), records
    finally:
        http.close()


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
