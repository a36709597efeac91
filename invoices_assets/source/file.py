"""Reads what to fetch: a YAML file in dlt's REST API source format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError
from itertools import permutations
from pathlib import Path
from typing import Any

import yaml
from dlt.common.exceptions import DictValidationException
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.config_setup import (
    build_resource_dependency_graph,
)

from invoices_assets.errors import SourceError
from invoices_assets.source.dlt_format import as_dlt_takes
from invoices_assets.source.naming import RESERVED_PREFIX, history_table, normalized, rejected_table
from invoices_assets.source.resource import ResourceSpec, resource_spec

_YAML = "tag:yaml.org,2002:"
_RESOLVED = re.compile(r"ResolvedParam\(param_name='([^']*)'.*?\)\)+")
DEFAULT_SOURCE = Path(__file__).parent.parent / "source.yaml"
"""The description of the default contract, used unless the settings name another file."""


@dataclass(frozen=True)
class Source:
    """A readable source file.

    Parameters:
        path: where it was read from.
        config: its content: `client`, `resource_defaults`, `resources`; without base URL and secret.
    """

    path: Path
    config: Mapping[str, Any] = field(repr=False)

    def dlt_source(self, name: str) -> Any:
        """dlt's own source of this configuration, with placeholders for what a run alone knows.

        It gives Dagster the shape of the assets; it is never read from.

        Raises:
            SourceError: dlt does not accept the configuration; its complaint is in the message.
        """
        return self._dlt_source.clone(with_name=name)

    @cached_property
    def _dlt_source(self) -> Any:
        try:
            config: Any = as_dlt_takes(self.config)
            return rest_api_source(config)
        except Exception as error:
            raise self._refusal(error) from None

    @cached_property
    def resource_names(self) -> list[str]:
        """Names of those that are loaded, in the order of the file; `selected: false` leaves one to its dependents."""
        return [name for name, spec in self.resources.items() if spec.selected]

    @cached_property
    def main_resource(self) -> str:
        """`invoices`, or the first one in a file without it."""
        return "invoices" if "invoices" in self.resource_names else self.resource_names[0]

    @cached_property
    def resources(self) -> dict[str, ResourceSpec]:
        """The resources by name, parsed and checked; without the secret, which `ResourceSpec.with_auth` puts in.

        Raises:
            SourceError: something that cannot be loaded completely or exactly.
        """
        try:
            config = deepcopy(dict(self.config))
            defaults: Any = config.get("resource_defaults") or {}
            graph: Any = build_resource_dependency_graph(defaults, config["resources"])
            _, endpoints, resolved = graph
            specs = {
                name: resource_spec(name, config.get("client") or {}, resource, resolved[name] or [])
                for name, resource in endpoints.items()
            }
            _refuse_shared_tables(specs)
            _refuse_odd_names(name for name, spec in specs.items() if spec.selected)
            return specs
        except (SourceError, ValueError, TypeError, KeyError, DictValidationException) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> SourceError:
        return SourceError(f"The source file {self.path.name} cannot be used: {_complaint(error)}")


def read_source(path: Path) -> Source:
    """Reads and checks a source file; sends nothing and needs no secret.

    Parameters:
        path: of a YAML file in dlt's REST API source format, without base URL and secret, for example

            client:
              auth: {type: api_key, name: X-Api-Key, location: header}
            resources:
              - name: invoices
                primary_key: id
                write_disposition: merge
                columns: {total: {data_type: decimal}}
                endpoint:
                  path: /v1/invoices
                  data_selector: data
                  paginator: {type: offset, limit: 100}
                  incremental: {cursor_path: updated_at, start_param: updated_since}

    Raises:
        SourceError: the file is missing, is not YAML, or is refused by dlt.
    """
    try:
        config = read_yaml(path)
    except OSError as error:
        raise SourceError(f"The source file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SourceError(f"The source file {path} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise SourceError(f"The source file {path} is not valid YAML: {yaml_complaint(error)}") from None
    if not isinstance(config, dict) or not isinstance(config.get("resources"), list) or not config["resources"]:
        raise SourceError(f"The source file {path} needs a list `resources` with at least one resource.")
    source = Source(path, config)
    _ = source._dlt_source, source.resources  # parsed now, so that it is refused now
    if not source.resource_names:
        raise SourceError(f"The source file {path} has `selected: false` on each of its resources.")
    return source


class _PlainKeys(yaml.SafeLoader):
    """Takes a key as what is written, and once in a mapping (YAML 1.2.2, 3.2.1.1); of two, PyYAML has the last one."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            name, wrong = (key.tag, str(key.value)), None
            if name in seen and key.tag != f"{_YAML}merge":
                wrong = "stands there twice"
            elif key.tag in (f"{_YAML}bool", f"{_YAML}null"):
                wrong = "is no text in YAML; put it in quotes"
            if wrong is not None:
                raise yaml.MarkedYAMLError(None, None, f"`{key.value}` {wrong}", key.start_mark)
            seen.add(name)
        return node


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
        yaml.YAMLError: it is no YAML, or a key of it stands twice in one mapping, or means yes, no or nothing.
    """
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainKeys)


def _refuse_shared_tables(specs: Mapping[str, ResourceSpec]) -> None:
    """Two resources that write into one table would mix their rows, and mark each other's as deleted."""
    tables = {name: normalized(name) for name in specs}
    for name, other in permutations(specs, 2):
        table, root = tables[name], tables[other]
        if table == root:
            raise SourceError(f"the resources `{name}` and `{other}` would both be loaded into the table `{table}`.")
        for what, is_taken in {
            "a child table": table.startswith(f"{root}__"),
            "the table of the rejected records": table == rejected_table(root),
            "the table of the history": specs[other].history and table == history_table(root),
        }.items():
            if is_taken:
                raise SourceError(f"the resource `{name}` has the name of {what} of `{other}`; give it another one.")


def _refuse_odd_names(names: Iterable[str]) -> None:
    """A name is one of an asset, for which Dagster has these letters only, and the beginning of those of tables."""
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or normalized(name).startswith(RESERVED_PREFIX):
            raise SourceError(
                f"the resource `{name}` needs a name of a-z, 0-9, `_`, `-` and `.` that does not begin with "
                f"`{RESERVED_PREFIX}`."
            )


def _complaint(error: Exception) -> str:
    """dlt's complaint about the innermost field, where it names several, without the names of its classes."""
    if isinstance(error, KeyError):
        return f"`{error.args[0]}` is missing in it."
    if isinstance(error, CycleError):
        return f"its resources hang on each other: {', '.join(f'`{name}`' for name in error.args[1])}."
    if isinstance(error, DictValidationException):
        while error.nested_exceptions:
            error = max(error.nested_exceptions, key=lambda nested: len(str(nested.path)))
    return _RESOLVED.sub(r"\1", " ".join(str(error).split()))


def yaml_complaint(error: yaml.YAMLError) -> str:
    """What is wrong with a YAML file, and where; without what stands there, which may be a secret."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "unreadable"
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})." if mark else f"{problem}."
