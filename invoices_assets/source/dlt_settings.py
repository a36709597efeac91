"""dlt's own settings, from the environment or `.dlt/`, cannot change where or what is loaded.

dlt looks in its config providers for every field of its pipeline, normalizer, loader and destination that the code
leaves open: `REFRESH`, `DEV_MODE`, `DATASET_NAME_LAYOUT`, `SCHEMA__NAMING` and some hundred more, each also under
the name of the pipeline. A list of those to pin would be out of date with the next version of dlt. So all are
answered with nothing, which leaves dlt's defaults; only where a destination is, and who may enter it, is dlt's to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.provider import ConfigProvider
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

_destination: ContextVar[bool | None] = ContextVar("destination", default=None)
"""None outside of `own_settings`; else whether dlt may look for the destination."""


@contextmanager
def own_settings(*, but_destination: bool = False) -> Iterator[None]:
    """For the time of a block, and in its thread only, dlt finds no settings but those that the code gives it.

    Parameters:
        but_destination: dlt may look for those of a destination: `DESTINATION__POSTGRES__CREDENTIALS` and the like.
    """
    context = Container()[PluggableRunContext].providers
    # they stay: outside of a block they hand everything on, and another thread may have its block now
    quiet: list[Any] = [p if isinstance(p, _Quiet) else _Quiet(p) for p in context.providers]
    context.providers = quiet
    before = _destination.set(but_destination)
    try:
        yield
    finally:
        _destination.reset(before)


class _Quiet:
    """A config provider of dlt that has no answers within `own_settings`."""

    def __init__(self, provider: ConfigProvider) -> None:
        self._provider = provider

    def get_value(self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str) -> tuple[Any, str]:
        if not _may_be_answered(key, sections):
            return None, key
        return self._provider.get_value(key, hint, pipeline_name, *sections)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


def _may_be_answered(key: str, sections: tuple[str, ...]) -> bool:
    destination = _destination.get()
    if destination is None:
        return True
    return destination and ("credentials" in (key, *sections) or sections[:1] == ("destination",))
