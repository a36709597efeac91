"""Asset checks: what a green run cannot say by itself. Those of a resource are looked at together, by one query.

They belong to the step that loads: one of their own that keeps back what is made of the rows would keep back the other
tables of the same load, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import dagster as dg

from invoices_assets.checks.load_history import LoadHistory
from invoices_assets.checks.rules import NOTHING_MISSED, RULES, Rule, Seen, Verdict
from invoices_assets.errors import WarehouseError
from invoices_assets.load.reports.audit import Audit, audit
from invoices_assets.load.settings import WarehouseSettings
from invoices_assets.names import Names
from invoices_assets.source.file import Source
from invoices_assets.source.naming import normalized


def check_specs(source: Source, names: Names, resource: str) -> list[dg.AssetCheckSpec]:
    """The checks of a resource."""
    key = dg.AssetKey([names.dataset, resource])
    return [
        dg.AssetCheckSpec(rule.name, asset=key, description=rule.about, blocking=rule.is_blocking)
        for rule in _rules_of(source, resource)
    ]


def rare_checks(source: Source, names: Names) -> dg.AssetSelection:
    """The checks that say nothing new of a refresh: what the last complete sweep found stays in sight."""
    keys = [dg.AssetKey([names.dataset, name]) for name in source.resource_names]
    return dg.AssetSelection.checks(*(dg.AssetCheckKey(key, NOTHING_MISSED) for key in keys))


def check(
    source: Source,
    resource: str,
    settings: WarehouseSettings,
    context: dg.AssetExecutionContext,
    found: Audit | None = None,
) -> Iterator[dg.AssetCheckResult]:
    """Look at the tables of a resource, and at what its loads have told.

    Parameters:
        settings: of the warehouse.
        context: of the run: which checks are chosen, and the history of the loads.
        found: what the load before has seen of the tables; without it, they are looked at.
    """
    key, spec = dg.AssetKey([settings.dataset, resource]), source.resources[resource]
    chosen = context.selected_asset_check_keys
    rules = [rule for rule in _rules_of(source, resource) if dg.AssetCheckKey(key, rule.name) in chosen]
    if not rules:
        return
    try:
        found = found or audit(settings, spec, context.log.warning)
    except WarehouseError as error:
        # the next run may be loading already, in another process; as a warning, for nothing is known to be wrong
        unseen = Verdict(False, f"This could not be looked at: {error}.")
        yield from (_result(replace(rule, severity=dg.AssetCheckSeverity.WARN), key, unseen) for rule in rules)
        return
    history = LoadHistory(context.instance, key, context.run.run_id)
    seen = Seen(spec, f"{settings.dataset}.{normalized(resource)}", found, history)
    yield from (_result(rule, key, rule.judge(seen)) for rule in rules)


def _rules_of(source: Source, resource: str) -> list[Rule]:
    is_main = resource == source.main_resource
    return [rule for rule in RULES if (is_main or not rule.of_invoices) and rule.applies(source.resources[resource])]


def _result(rule: Rule, key: dg.AssetKey, verdict: Verdict) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=rule.name,
        passed=verdict.passed,
        severity=rule.severity,
        description=verdict.said,
        metadata=verdict.metadata,
    )
