"""Several APIs in one code location, each of them a component with a source file of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml

from invoices_assets.component import InvoicesComponent, all_invoices_of
from invoices_assets_tests.support.sweep_helpers import config
from invoices_assets_tests.vendor import Book, Contract, Vendor, serve


@dataclass
class Location:
    """A code location with several APIs that load into one file.

    Parameters:
        folder: for the source files and the warehouse.
        books: what each API has.
    """

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    books: dict[str, Book]
    servers: dict[str, Vendor]
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    def component(self, name: str, content: dict[str, Any] | None = None, **attributes: Any) -> InvoicesComponent:
        """The component of an API; its key is in the environment."""
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(content or config()), encoding="utf-8")
        variable = f"{name.upper()}_API_KEY"
        self.monkeypatch.setenv(variable, self.servers[name].key)
        given = {
            "name": name,
            "source": f"{name}.yaml",
            "base_url": self.servers[name].url,
            "api_key_env": variable,
            "duckdb_path": str(self.warehouse),
        }
        return InvoicesComponent(**{**given, **attributes}).beside(self.folder)

    def definitions(self, *components: InvoicesComponent) -> dg.Definitions:
        """All components, by default one for each API, with `all_invoices`."""
        chosen = components or tuple(self.component(name) for name in self.servers)
        each = (component.definitions(followed=True) for component in chosen)
        return dg.Definitions.merge(*each, all_invoices_of(chosen))

    def run(self, job: str, defs: dg.Definitions | None = None, **config: Any) -> dg.ExecuteInProcessResult:
        """Runs a job; a failed run is returned, not raised."""
        found = (defs or self.definitions()).resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False, run_config=config or None)

    @property
    def warehouse(self) -> Path:
        return self.folder / "all.duckdb"

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()


@contextmanager
def serving(folder: Path, monkeypatch: pytest.MonkeyPatch, **books: Book) -> Iterator[Location]:
    """Serves each book by an API of its own, with a key of its own."""
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(serve(book, contract=Contract(), key=f"k3y-of-{name}-0815"))
            for name, book in books.items()
        }
        yield Location(folder, monkeypatch, dict(books), servers)


def sentence(result: dg.ExecuteInProcessResult) -> str:
    """What a failed run says."""
    [failed, *_] = [event for event in result.all_events if event.is_step_failure]
    data = failed.step_failure_data
    assert data.user_failure_data is not None
    return str(data.user_failure_data.description)
