"""Runs of a part of the graph, as somebody chooses it in the UI."""

from __future__ import annotations

import dagster as dg

from invoices_assets_tests.support.project import Project


def run_only(project: Project, *names: str) -> dg.ExecuteInProcessResult:
    """Materializes the assets of these names, of the project's own dataset, and nothing else."""
    keys = [dg.AssetKey([project.dataset, name]) for name in names]
    job = project.definitions().resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=project.instance, asset_selection=keys, raise_on_error=False)


def check_only(project: Project, *names: str) -> dg.ExecuteInProcessResult:
    """Executes these checks of `invoices`, and nothing else."""
    key = dg.AssetKey([project.dataset, "invoices"])
    chosen = dg.AssetSelection.checks(*(dg.AssetCheckKey(key, name) for name in names))
    checks = dg.Definitions.merge(project.definitions(), dg.Definitions(jobs=[dg.define_asset_job("only", chosen)]))
    return checks.resolve_job_def("only").execute_in_process(instance=project.instance, raise_on_error=False)


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetMaterialization]:
    """The materializations of a run: last part of the key -> what it tells."""
    events = [event for event in result.all_events if event.is_step_materialization]
    made = [event.step_materialization_data.materialization for event in events]
    return {each.asset_key.path[-1]: each for each in made}
