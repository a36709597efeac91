"""The nodes of the graph: the API, its resources, the tables that their loads also write."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster_dlt import DagsterDltTranslator
from dagster_dlt.translator import DltResourceTranslatorData

from invoices_assets.load.destination.schema import REJECTED_COLUMNS
from invoices_assets.metadata.load_metadata import declared_schema
from invoices_assets.names import SANDBOX, Names
from invoices_assets.source.columns.column import Column
from invoices_assets.source.columns.meaning import child_tables, columns_below
from invoices_assets.source.file import Source
from invoices_assets.source.naming import history_table, normalized, rejected_table
from invoices_assets.source.resource import ResourceSpec


@dataclass(frozen=True)
class AssetTraits:
    """What the assets of an API have in common.

    Parameters:
        owners, tags: as Dagster knows them.
        freshness: how old they may be; None where no schedule refreshes them.
    """

    owners: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    freshness: dg.FreshnessPolicy | None = None


class ResourceTranslator(DagsterDltTranslator):
    """Names and describes the asset of a resource; its key begins with the dataset."""

    def __init__(self, names: Names, source: Source, traits: AssetTraits) -> None:
        super().__init__()
        self._names, self._source, self._traits = names, source, traits

    def get_asset_spec(self, data: DltResourceTranslatorData) -> dg.AssetSpec:
        spec, dataset = self._source.resources[data.resource.name], self._names.dataset
        about = "Invented rows of the embedded sandbox. " if dataset == SANDBOX else ""
        upstream = [dg.AssetKey([dataset, spec.parent])] if spec.parent else []
        return dg.AssetSpec(
            key=dg.AssetKey([dataset, spec.name]),
            deps=[*upstream, *([api_key(self._names)] if has_api(self._source) else [])],
            description=about
            + (spec.description or f"`{spec.name}` of the invoicing API (`{spec.path}`), complete and exact."),
            kinds={"dlt", "duckdb", "rest"},
            freshness_policy=self._traits.freshness,
            metadata={
                "primary_key": ", ".join(spec.primary_key),
                "dagster/column_schema": declared_schema(spec.columns),
                **_source_code(self._source, spec.name),
            },
            **common_traits(self._names, self._traits),
        )


def api_key(names: Names) -> dg.AssetKey:
    """The asset that stands for the API itself."""
    return dg.AssetKey([names.dataset, "api"])


def has_api(source: Source) -> bool:
    """Whether there is such an asset: a resource of the same name takes its place."""
    return "api" not in source.resource_names


def api_spec(names: Names, source: Source, address: str, traits: AssetTraits) -> dg.AssetSpec:
    """The API, which nothing here materializes.

    Parameters:
        address: without a secret.
    """
    paths = ", ".join(f"`{source.resources[name].path}`" for name in source.resource_names)
    return dg.AssetSpec(
        key=api_key(names),
        description=f"The invoicing API at {address}, asked for {paths}.",
        group_name=names.dataset,
        kinds={"api"},
        metadata={"address": dg.MetadataValue.url(address) if "://" in address else address},
        **common_traits(names, traits),
    )


@dataclass(frozen=True)
class SideTable:
    """A table that the load of a resource also writes: a list in its records, what was rejected, every version.

    Parameters:
        resource: whose load writes it.
        table: its name in the warehouse, and the last part of its key.
        about: what is in it.
        columns: that are declared for it, by their names in it.
    """

    resource: str
    table: str
    about: str
    columns: Mapping[str, Column] = field(default_factory=dict)

    def key(self, dataset: str) -> dg.AssetKey:
        """The key of its asset."""
        return dg.AssetKey([dataset, self.table])


def side_tables(spec: ResourceSpec) -> Iterator[SideTable]:
    """The tables beside the main one of a resource that are known before a record has come."""
    root = normalized(spec.name)
    for place, about in child_tables(spec.columns).items():
        about = about or f"The list `{place}` of `{spec.name}`."
        yield SideTable(spec.name, f"{root}__{place}", about, columns_below(spec.columns, place))
    about = f"Records of `{spec.name}` that cannot be stored as declared, with the reason."
    columns = {name: Column(name=name, kind=kind, description=text) for name, (kind, text) in REJECTED_COLUMNS.items()}
    yield SideTable(spec.name, rejected_table(root), about, columns)
    if spec.history:
        yield SideTable(spec.name, history_table(root), f"Every version of the rows of `{spec.name}`.", spec.columns)


def side_specs(names: Names, spec: ResourceSpec, traits: AssetTraits) -> list[dg.AssetSpec]:
    """The assets of these tables. Each hangs on the table whose name begins its own, or on the main one.

    Those of a resource by month hang on the API instead: of a run without a partition, too, Dagster asks for the
    partitions of what they hang on, also within a step.
    """
    dataset, known = names.dataset, list(side_tables(spec))
    specs = []
    for each in known:
        above = [other.table for other in known if each.table.startswith(f"{other.table}__")]
        upstream = max(above, key=len, default=spec.name) if spec.window is None else api_key(names).path[-1]
        specs.append(
            dg.AssetSpec(
                key=each.key(dataset),
                deps=[dg.AssetKey([dataset, upstream])],
                description=each.about,
                kinds={"dlt", "duckdb"},
                metadata={"dagster/column_schema": declared_schema(each.columns)} if each.columns else {},
                **common_traits(names, traits),
            )
        )
    return specs


def common_traits(names: Names, traits: AssetTraits) -> dict[str, Any]:
    """What the specs of all assets of an API have in common."""
    return {"owners": list(traits.owners), "tags": {"source": names.dataset, **traits.tags}}


def _source_code(source: Source, resource: str) -> dict[str, Any]:
    """Where the source file names the resource, for the link in the UI."""
    lines = source.path.read_text(encoding="utf-8").splitlines()
    line = next((number for number, line in enumerate(lines, 1) if f"name: {resource}" in line), 1)
    with warnings.catch_warnings(action="ignore", category=dg.BetaWarning):
        reference = dg.LocalFileCodeReference(
            file_path=str(source.path.absolute()), line_number=line, label=source.path.name
        )
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
