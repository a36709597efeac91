"""The same job written in other ways; each is run as a process of its own.

    python -m benchmarks.contenders floor --url http://127.0.0.1:8000 --path out.duckdb

The last line printed is `work <seconds>`: from the first request to the last commit, without imports.
"""

import argparse
import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

PAGE = 100
WINDOW = 8


def usual(url: str, key: str, path: Path) -> Callable[[], None]:
    """dlt's `rest_api_source` under `@dlt_assets`, as its documentation has it."""
    return _dlt_asset(url, key, path, loader_file_format=None)


def usual_parquet(url: str, key: str, path: Path) -> Callable[[], None]:
    """The same with Parquet files instead of INSERT statements."""
    return _dlt_asset(url, key, path, loader_file_format="parquet")


def _dlt_asset(url: str, key: str, path: Path, loader_file_format: str | None) -> Callable[[], None]:
    import dagster as dg
    import dlt
    from dagster_dlt import DagsterDltResource, dlt_assets
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {
                "base_url": url,
                "auth": {"type": "api_key", "name": "api_key", "api_key": key, "location": "query"},
                "paginator": {"type": "offset", "limit": PAGE},
            },
            "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
            "resources": [{"name": "invoices", "endpoint": {"path": "/v1/invoices", "data_selector": "data"}}],
        },
        name="invoicing",
    )
    pipeline = dlt.pipeline(
        "invoicing",
        destination=dlt.destinations.duckdb(str(path)),
        dataset_name="invoicing",
        pipelines_dir=str(path.parent / "dlt"),
    )

    @dlt_assets(dlt_source=source, dlt_pipeline=pipeline, name="invoices")
    def invoices(context: dg.AssetExecutionContext, dlt_resource: DagsterDltResource) -> Iterator[Any]:
        options = {"loader_file_format": loader_file_format} if loader_file_format else {}
        yield from dlt_resource.run(context=context, **options)

    def work() -> None:
        result = dg.materialize([invoices], resources={"dlt_resource": DagsterDltResource()})
        assert result.success

    return work


def pandas(url: str, key: str, path: Path) -> Callable[[], None]:
    """requests, a loop over the pages, pandas and DuckDB."""
    import duckdb
    import pandas as pd
    import requests

    def work() -> None:
        session, rows = requests.Session(), []
        while True:
            params: dict[str, Any] = {"api_key": key, "limit": PAGE, "offset": len(rows)}
            page = session.get(f"{url}/v1/invoices", params=params, timeout=60).json()
            rows += page["data"]
            if not page["data"] or len(rows) >= page["total"]:
                break
        invoices = pd.json_normalize(rows, sep="__").drop(columns="line_items")
        lines = pd.json_normalize(rows, "line_items", meta="id", meta_prefix="invoice_")
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS invoicing")
            for name, frame in {"invoices": invoices, "invoices__line_items": lines}.items():
                connection.register("frame", frame)
                connection.execute(f"CREATE OR REPLACE TABLE invoicing.{name} AS SELECT * FROM frame")

    return work


def floor(url: str, key: str, path: Path) -> Callable[[], None]:
    """By hand: pages in flight together, pyarrow's JSON reader with a schema, one transaction."""
    import duckdb
    import pyarrow as pa
    import pyarrow.json as pj
    import urllib3

    money = pa.decimal128(38, 9)
    text = pa.string()
    line = pa.struct(
        [
            ("description", text),
            ("quantity", money),
            ("unit_price", money),
            ("tax_rate", money),
            ("amount", money),
        ]
    )
    customer = pa.struct([(name, text) for name in ("id", "name", "email", "country", "vat_id")])
    texts = ["id", "number", "status", "currency", "issue_date", "due_date", "paid_at", "note"]
    amounts = ["subtotal", "tax_amount", "total", "amount_paid", "amount_due"]
    record = pa.struct(
        [(name, text) for name in (*texts, "created_at", "updated_at")]
        + [(name, money) for name in amounts]
        + [("customer", customer), ("line_items", pa.list_(line))]
    )
    schema = pa.schema([("data", pa.list_(record)), ("total", pa.int64())])

    def work() -> None:
        http = urllib3.PoolManager(maxsize=WINDOW)

        def page(offset: int) -> bytes:
            fields = {"api_key": key, "limit": str(PAGE), "offset": str(offset)}
            return http.request("GET", f"{url}/v1/invoices", fields=fields).data

        first = page(0)
        offsets = range(PAGE, json.loads(first)["total"], PAGE)
        with ThreadPoolExecutor(WINDOW) as pool:
            bodies = [first, *pool.map(page, offsets)]
        pages = pj.read_json(
            io.BytesIO(b"\n".join(bodies)),
            read_options=pj.ReadOptions(block_size=1 << 22),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
        with duckdb.connect(str(path)) as connection:
            connection.register("pages", pages)
            connection.execute("BEGIN; CREATE SCHEMA IF NOT EXISTS invoicing")
            connection.execute(
                "CREATE OR REPLACE TABLE invoicing.invoices AS "
                "SELECT r.* EXCLUDE (line_items) FROM (SELECT unnest(data) AS r FROM pages)"
            )
            connection.execute(
                "CREATE OR REPLACE TABLE invoicing.invoices__line_items AS SELECT id, l.* FROM "
                "(SELECT r.id AS id, unnest(r.line_items) AS l FROM (SELECT unnest(data) AS r FROM pages))"
            )
            connection.execute("COMMIT")

    return work


CONTENDERS = {
    "dlt as usual": usual,
    "dlt with Parquet": usual_parquet,
    "requests + pandas": pandas,
    "floor": floor,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--path", required=True, type=Path)
    chosen = parser.parse_args()
    work = CONTENDERS[chosen.contender](chosen.url, chosen.key, chosen.path)
    began = time.perf_counter()
    work()
    print("work", time.perf_counter() - began)


if __name__ == "__main__":
    main()
