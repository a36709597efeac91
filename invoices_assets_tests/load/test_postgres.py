"""What is special about PostgreSQL: its address, rights, names and types, and tables that dlt itself has written."""

from __future__ import annotations

import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dlt
import pytest

from invoices_assets.errors import LoadFailed, TableRefused, WarehouseError, WarehouseUnusable
from invoices_assets.load.inspect import known_state
from invoices_assets.load.request import Scope
from invoices_assets.load.warehouses.catalogs import catalog_of
from invoices_assets.load.warehouses.connection import open_warehouse
from invoices_assets_tests.support.load_helpers import invoice
from invoices_assets_tests.support.warehouses import PASSWORD, SharedLoader, execute, free_port


@pytest.fixture
def loader(server: str, tmp_path: Path) -> SharedLoader:
    return SharedLoader(tmp_path / "lock", dataset=f"d{abs(hash(tmp_path)) % 10**8}", dsn=server)


def refusal(loader: SharedLoader) -> str:
    """What a load says that is refused before a row is written; nobody shows the password."""
    with pytest.raises(WarehouseUnusable) as refused:
        loader.load([invoice(1)])
    # Dagster shows an error with those that caused it
    assert PASSWORD not in "".join(traceback.format_exception(refused.value))
    with pytest.raises(WarehouseError) as unread:
        known_state(loader.settings, "invoices")
    assert PASSWORD not in "".join(traceback.format_exception(unread.value))
    return str(refused.value)


def test_a_server_that_is_not_there_is_one_sentence(loader: SharedLoader) -> None:
    loader.dsn = f"postgresql://loader:{PASSWORD}@127.0.0.1:{free_port()}/postgres"
    said = refusal(loader)
    assert "the server of DESTINATION__POSTGRES__CREDENTIALS cannot be used" in said
    assert "refused" in said


@pytest.mark.parametrize(
    ("right", "wrong", "reason"),
    [
        (PASSWORD, f"{PASSWORD}X", "password authentication failed"),
        ("/postgres", "/nothing", 'database "nothing" does not exist'),
    ],
)
def test_a_wrong_password_or_database_is_one_sentence(
    loader: SharedLoader, right: str, wrong: str, reason: str
) -> None:
    loader.dsn = loader.dsn.replace(right, wrong)
    said = refusal(loader)
    assert "DESTINATION__POSTGRES__CREDENTIALS cannot be used" in said
    assert reason in said


def test_a_user_who_may_not_make_a_schema_is_one_sentence(loader: SharedLoader) -> None:
    name = f"reader_{loader.dataset}"
    execute(loader.dsn, f"CREATE USER {name} PASSWORD '{PASSWORD}'")
    loader.dsn = loader.dsn.replace("loader:", f"{name}:")
    with pytest.raises(WarehouseUnusable, match=r"the user of DESTINATION__POSTGRES__CREDENTIALS lacks a right"):
        loader.load([invoice(1)])
    assert execute(loader.dsn, f"SELECT to_regnamespace('{loader.dataset}')") == [(None,)]


def test_a_user_who_does_not_own_a_table_that_gets_a_column_is_one_sentence(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    name, schema = f"other_{loader.dataset}", f"SCHEMA {loader.dataset}"
    execute(
        loader.dsn,
        f"CREATE USER {name} PASSWORD '{PASSWORD}'",
        f"GRANT ALL ON {schema} TO {name}",
        f"GRANT ALL ON ALL TABLES IN {schema} TO {name}",
    )
    loader.dsn = loader.dsn.replace("loader:", f"{name}:")
    assert loader.load([invoice(1, total=5)]).changed == 1
    with pytest.raises(WarehouseUnusable, match=r"lacks a right \(must be owner of table invoices\); nothing"):
        loader.load([invoice(1, note="new")])


def test_a_refused_row_is_not_shown_nor_the_server_blamed_for_its_words(loader: SharedLoader) -> None:
    loader.load([invoice(1, status_closed="no")])
    execute(loader.dsn, f"ALTER TABLE {loader.dataset}.invoices ADD CONSTRAINT small CHECK (total < 5)")
    with pytest.raises(LoadFailed, match=r"violates check constraint .small.$"):
        loader.load([invoice(1, status_closed="timeout", total=7)])


def test_the_reason_stands_in_the_sentence_however_long_the_statement(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    execute(loader.dsn, f"DROP TABLE {loader.dataset}.invoices", f"CREATE SEQUENCE {loader.dataset}.invoices")
    with pytest.raises(LoadFailed, match=r'rolled back: relation "invoices" already exists$'):
        loader.load([invoice(1, **{f"c{n}": n for n in range(30)})])


@pytest.mark.parametrize(("query", "reason"), [("sslmode=any", "invalid sslmode value"), ("any=1", "invalid dsn")])
def test_a_parameter_that_no_server_has_is_one_sentence(loader: SharedLoader, query: str, reason: str) -> None:
    loader.dsn += f"?{query}"
    assert f"the server of DESTINATION__POSTGRES__CREDENTIALS cannot be used ({reason}" in refusal(loader)


@pytest.mark.parametrize(
    "dsn",
    [
        f"mysql://loader:{PASSWORD}@127.0.0.1/any",
        f"postgresql://loader:x@{PASSWORD}@127.0.0.1/any",
        f"postgresql://loader:{PASSWORD}@[127.0.0.1/any",
        f"postgresql://loader:{PASSWORD}",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(loader: SharedLoader, dsn: str) -> None:
    loader.dsn = dsn
    assert "DESTINATION__POSTGRES__CREDENTIALS" in refusal(loader)


def test_a_text_that_postgresql_cannot_hold_is_refused(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    with pytest.raises(LoadFailed, match=r"a text of the API has a character NUL"):
        loader.load([invoice(1), invoice(2, note="a\0b")])
    assert loader.rows("SELECT count(*) FROM {d}.invoices") == [(1,)]


@pytest.fixture
def latin1(loader: SharedLoader) -> SharedLoader:
    """Loads into a database whose encoding is LATIN1."""
    name = f"latin1_{loader.dataset}"
    execute(loader.dsn, f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    loader.dsn = loader.dsn.replace("/postgres", f"/{name}")
    return loader


def test_others_read_the_same_texts_in_a_database_of_another_encoding(latin1: SharedLoader) -> None:
    latin1.load([invoice(1, note="Müller")])
    assert execute(latin1.dsn, f"SELECT note FROM {latin1.dataset}.invoices") == [("Müller",)]


def test_a_character_that_the_database_cannot_hold_is_named_and_nothing_is_loaded(latin1: SharedLoader) -> None:
    latin1.load([invoice(1)])
    with pytest.raises(LoadFailed, match=r'has no equivalent in encoding "LATIN1"'):
        latin1.load([invoice(1), invoice(2, note="5 €")])
    assert latin1.rows("SELECT count(*) FROM {d}.invoices") == [(1,)]


def test_the_environment_of_a_run_does_not_change_its_texts(
    loader: SharedLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    loader.load([invoice(1, note="Müller")])
    monkeypatch.undo()
    assert execute(loader.dsn, f"SELECT note FROM {loader.dataset}.invoices") == [("Müller",)]


def test_a_password_and_a_parameter_may_have_any_character(loader: SharedLoader) -> None:
    name, password = f"any_{loader.dataset}", "p@ss/w:r d%?#&+'\\"
    execute(
        loader.dsn,
        "CREATE USER {} PASSWORD '{}'".format(name, password.replace("'", "''")),
        f"CREATE SCHEMA {loader.dataset} AUTHORIZATION {name}",
    )
    user = f"{name}:{quote(password, safe='')}"
    loader.dsn = f"{loader.dsn.replace(f'loader:{PASSWORD}', user)}?options=-c%20application_name%3Dany"
    assert loader.load([invoice(1)]).new == 1


def test_a_name_that_postgresql_would_cut_is_refused(loader: SharedLoader) -> None:
    with pytest.raises(TableRefused, match=r"n{64} is longer than the 63 bytes that PostgreSQL keeps"):
        loader.load([invoice(1, **{"n" * 64: 1})])
    assert loader.load([invoice(1, **{"n" * 63: 1})]).new == 1


def test_tables_of_other_schemas_are_not_looked_at(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    execute(loader.dsn, f"CREATE TABLE public.of_{loader.dataset} (id int)")
    with open_warehouse(catalog_of(loader.settings)) as connection:
        seen = connection.execute("SELECT DISTINCT schema_name FROM duckdb_tables() WHERE database_name = 'warehouse'")
        assert seen.fetchall() == [(loader.dataset,)]


def test_a_table_of_somebody_else_is_to_be_moved_away_and_no_file_is_named(loader: SharedLoader) -> None:
    execute(loader.dsn, f"CREATE SCHEMA {loader.dataset}", f"CREATE TABLE {loader.dataset}.invoices (id text)")
    with pytest.raises(TableRefused, match=r"; move the table away and run a load of everything to fill it anew$"):
        loader.load([invoice(1)])


_FUNCTION = "CREATE FUNCTION {d}.none() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
_TRIGGER = "CREATE TRIGGER none {when} ON {d}.invoices__line_items FOR EACH ROW EXECUTE FUNCTION {d}.none()"


@pytest.mark.parametrize(
    ("why", "statements"),
    [
        (
            "is partitioned",
            [
                "ALTER TABLE {d}.invoices RENAME TO old",
                "CREATE TABLE {d}.invoices (LIKE {d}.old) PARTITION BY LIST (id)",
                "CREATE TABLE {d}.some PARTITION OF {d}.invoices FOR VALUES IN ('i1')",
                "CREATE TABLE {d}.others PARTITION OF {d}.invoices DEFAULT",
                "INSERT INTO {d}.invoices SELECT * FROM {d}.old",
            ],
        ),
        ("has tables that inherit from it", ["CREATE TABLE {d}.heir () INHERITS ({d}.invoices)"]),
        ("has a rule", ["CREATE RULE none AS ON UPDATE TO {d}.invoices DO INSTEAD NOTHING"]),
        (
            "has a trigger that is called before a row is written",
            [_FUNCTION, _TRIGGER.replace("{when}", "BEFORE INSERT")],
        ),
    ],
)
def test_a_table_whose_rows_the_server_changes_by_itself_is_refused(
    loader: SharedLoader, why: str, statements: list[str]
) -> None:
    loader.load(invoice(n) for n in range(4))
    execute(loader.dsn, *(statement.replace("{d}", loader.dataset) for statement in statements))
    with pytest.raises(TableRefused, match=f"{why}, so that PostgreSQL may change other rows"):
        loader.load([invoice(1, total=7)], scope=Scope.PART)
    assert loader.rows("SELECT count(*), max(total) FROM {d}.invoices") == [(4, Decimal("3.1"))]


def test_row_level_security_that_holds_for_the_user_is_refused(loader: SharedLoader) -> None:
    name = f"owner_{loader.dataset}"
    execute(
        loader.dsn,
        f"CREATE USER {name} PASSWORD '{PASSWORD}'",
        f"CREATE SCHEMA {loader.dataset} AUTHORIZATION {name}",
    )
    loader.dsn = loader.dsn.replace("loader:", f"{name}:")
    loader.load([invoice(1)])
    secured = f"ALTER TABLE {loader.dataset}.invoices ENABLE ROW LEVEL SECURITY"
    execute(loader.dsn, secured)
    assert loader.load([invoice(1)]).unchanged == 1  # the owner sees all rows
    execute(loader.dsn, secured.replace("ENABLE", "FORCE"))
    with pytest.raises(
        WarehouseUnusable, match=r"lacks a right \(query would be affected by row-level security policy"
    ):
        loader.load([invoice(1)], scope=Scope.PART)


def test_a_trigger_that_is_called_after_a_row_was_written_is_none_of_a_load(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    after = [_FUNCTION, _TRIGGER.replace("{when}", "AFTER INSERT")]
    execute(loader.dsn, *(statement.replace("{d}", loader.dataset) for statement in after))
    assert loader.load([invoice(2)], scope=Scope.PART).new == 1


def test_row_ids_have_a_unique_index_and_nothing_is_left_beside_the_dataset(loader: SharedLoader) -> None:
    loader.load([invoice(1)])
    indexed = execute(
        loader.dsn,
        f"SELECT tablename FROM pg_indexes WHERE schemaname = '{loader.dataset}' AND indexdef LIKE '%UNIQUE%_dlt_id%' "
        "AND tablename LIKE 'invoices%' ORDER BY 1",
    )
    assert indexed == [("invoices",), ("invoices__line_items",)]
    schemas = f"SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '{loader.dataset}%'"
    assert execute(loader.dsn, schemas) == [(loader.dataset,)]


def test_tables_that_plain_dlt_wrote_are_continued(loader: SharedLoader, tmp_path: Path) -> None:
    loader.columns |= {"extra": {"data_type": "json"}}
    records: list[dict[str, Any]] = [invoice(n, extra={"b": 1, "a": n}) for n in range(5)]
    hints: Any = {"primary_key": "id", "write_disposition": "merge", "columns": loader.columns}
    plain = dlt.resource(records, name="invoices", **hints)
    pipeline = dlt.pipeline(
        loader.dataset,
        pipelines_dir=str(tmp_path),
        destination=dlt.destinations.postgres(loader.dsn),
        dataset_name=loader.dataset,
    )
    pipeline.run(plain)
    assert loader.load([*records, invoice(5, extra={"b": 2, "a": 5})], scope=Scope.PART).new == 1
    assert loader.rows("SELECT count(*), count(DISTINCT id), sum(total) FROM {d}.invoices") == [(6, 6, Decimal("15.6"))]
    assert loader.rows("SELECT count(*) FROM {d}.invoices__line_items") == [(12,)]
    assert loader.load(records, scope=Scope.PART).unchanged == 5
    pipeline.run(plain)
    assert loader.rows("SELECT count(*) FROM {d}.invoices") == [(6,)]


def test_a_moment_is_not_rounded_in_a_table_that_was_made_for_coarser_ones(
    loader: SharedLoader, tmp_path: Path
) -> None:
    coarse = {**loader.columns, "updated_at": {"data_type": "timestamp", "precision": 0}}
    hints: Any = {"primary_key": "id", "write_disposition": "merge", "columns": coarse}
    pipeline = dlt.pipeline(
        loader.dataset,
        pipelines_dir=str(tmp_path),
        destination=dlt.destinations.postgres(loader.dsn),
        dataset_name=loader.dataset,
    )
    pipeline.run(dlt.resource([invoice(1)], name="invoices", **hints))
    fine = [invoice(1), invoice(2, updated_at="2026-02-03T04:05:06.7Z")]
    loader.load(fine, scope=Scope.PART)
    assert loader.column("SELECT epoch_ms(updated_at) % 60000 FROM {d}.invoices ORDER BY id") == [6000, 6700]
    assert loader.load(fine, scope=Scope.PART).unchanged == 2
