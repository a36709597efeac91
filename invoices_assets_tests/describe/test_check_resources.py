"""`describe check` looks at every resource of a source file, also at those that hang on another one."""

from __future__ import annotations

from typing import Any

from invoices_assets.describe.finding import Verdict
from invoices_assets_tests.support.describing import checked, told
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import FakeApi, Reply

INVOICES = [{"id": "1", "updated_at": "2026-01-01T00:00:00Z"}, {"id": "2", "updated_at": "2026-01-02T00:00:00Z"}]
PAYMENTS = {
    "name": "payments",
    "endpoint": {
        "path": "/v1/invoices/{resources.invoices.id}/payments",
        "data_selector": "data",
        "paginator": {"type": "offset", "limit": 100},
    },
    "columns": {"amount": {"data_type": "decimal"}},
}


def with_payments() -> dict[str, Any]:
    content = config(incremental=None)
    content["resources"].append(PAYMENTS)
    return content


def test_a_dependent_resource_is_asked_for_under_the_first_parents(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(body={"data": INVOICES, "total": 2}))
    api.route("/v1/invoices/1/payments", Reply(body={"data": [], "total": 0}))
    api.route("/v1/invoices/2/payments", Reply(body={"data": [{"id": "p", "amount": "12.50"}], "total": 1}))
    found = [finding for finding in checked(api.url, with_payments()) if finding.resource == "payments"]
    assert "1 records" in told(found, "types", Verdict.OK)


def test_a_dependent_resource_without_a_parent_record_is_unproven(api: FakeApi) -> None:
    api.route("/v1/invoices", Reply(body={"data": [], "total": 0}))
    assert "`invoices` has no record" in told(checked(api.url, with_payments()), "parent", Verdict.UNPROVEN)


def test_a_resource_that_hangs_on_a_dependent_one_is_asked_for_under_the_first_of_those(api: FakeApi) -> None:
    content = with_payments()
    path, endpoint = "/v1/payments/{resources.payments.id}/fees", content["resources"][-1]["endpoint"]
    content["resources"].append({**PAYMENTS, "name": "fees", "endpoint": {**endpoint, "path": path}})
    api.route("/v1/invoices", Reply(body={"data": INVOICES, "total": 2}))
    api.route("/v1/invoices/1/payments", Reply(body={"data": [{"id": "p", "amount": "12.50"}], "total": 1}))
    api.route("/v1/payments/p/fees", Reply(body={"data": [{"id": "f"}], "total": 1}))
    found = [finding for finding in checked(api.url, content) if finding.resource == "fees"]
    assert "1 records" in told(found, "types", Verdict.OK)


def test_one_resource_that_fails_does_not_hide_the_others(api: FakeApi) -> None:
    content = config(incremental=None)
    content["resources"].insert(
        0, {"name": "customers", "endpoint": {"path": "/v1/customers", "paginator": "single_page"}}
    )
    api.route("/v1/customers", Reply(status=500))
    api.route("/v1/invoices", Reply(body={"data": INVOICES, "total": 2}))
    found = checked(api.url, content)
    assert {finding.resource for finding in found} == {"customers", "invoices"}
