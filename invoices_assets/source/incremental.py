"""dlt's incremental configuration of an endpoint: the change cursor, and the pair of a date window."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from math import inf
from typing import Any

from dlt.sources.rest_api.config_setup import setup_incremental_object
from pydantic import ValidationError

from invoices_assets.errors import SourceError
from invoices_assets.source.columns.column import Column
from invoices_assets.source.dlt_format import FORMAT, incremental_of_dlt, is_incremental

_ISO_DAY = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?![\d-])")


@dataclass(frozen=True)
class CursorSpec:
    """Where records carry their change stamp, and how to ask for changed ones only.

    In the source file, as the `incremental` of an endpoint or of one of its `params`:

        incremental: {cursor_path: updated_at, start_param: updated_since, initial_value: "2019-01-01", lag: 600}

    Parameters:
        path: JSONPath of the change stamp in a record, for example `updated_at`.
        start_param: query parameter that takes the start, or None where a placeholder takes it.
        initial_value: where the very first sweep starts, in the API's own notation.
        lag: overlap, in the units of dlt's `lag` (seconds for stamps, days for dates).
        used_in_placeholders: whether the endpoint mentions `{incremental.…}`.
        sent_as: the notation of the start as it is sent, our own `x-format` there; None for that of the records.
        shows_unstamped: the API's filter also shows records without a stamp (dlt's `on_cursor_value_missing:
            include`), so that they are no reason to ask for everything.
    """

    path: str
    start_param: str | None
    initial_value: Any = None
    lag: float = 0.0
    used_in_placeholders: bool = False
    shows_unstamped: bool = False
    sent_as: str | None = None

    @property
    def filters(self) -> bool:
        """Whether the API is asked for changed records only."""
        return self.start_param is not None or self.used_in_placeholders


@dataclass(frozen=True)
class DateWindowSpec:
    """A pair of parameters that selects by a stretch of time: dlt's `start_param` and `end_param`.

    In the source file:

        incremental: {cursor_path: created_at, start_param: from, end_param: to, initial_value: "2019-01-01"}

    Parameters:
        path: JSONPath of the moment by which the API selects, for example `created_at`.
        start_param, end_param: query parameters for the first moment, and for the first one after the window.
        first: where the history begins, as an ISO date or stamp; windows are written in its style.
        sent_as: as of `CursorSpec`, for both parameters.
        lag: how far a window reaches back into the one before; for an API whose start is exclusive.
    """

    path: str
    start_param: str
    end_param: str
    first: str
    lag: float = 0.0
    sent_as: str | None = None

    @property
    def first_month(self) -> str:
        """The first day of the first month, as an ISO date."""
        return f"{self.first[:7]}-01"


def read_cursor(name: str, endpoint: Mapping[str, Any]) -> CursorSpec | None:
    """The change cursor of an endpoint; dlt prefers one that a parameter declares to one of the endpoint.

    Raises:
        SourceError: it has what cannot be loaded completely.
    """
    params, declared = endpoint.get("params") or {}, endpoint.get("incremental")
    as_parameter = [value for value in params.values() if is_incremental(value)]
    incremental, param, convert = setup_incremental_object(
        {key: incremental_of_dlt(value) for key, value in params.items()}, incremental_of_dlt(declared)
    )
    if incremental is None:
        return None
    if convert is not None or incremental.end_value is not None:
        raise SourceError(f"resource `{name}`: `convert` and `end_value` are not supported here.")
    spec = CursorSpec(
        path=str(incremental.cursor_path),
        start_param=param.start if param else None,
        initial_value=_as_text(incremental.initial_value),
        lag=_lag(name, incremental.lag),
        used_in_placeholders="{incremental." in repr({**endpoint, "incremental": None}),
        shows_unstamped=incremental.on_cursor_value_missing == "include",
        sent_as=_sent_as(name, (as_parameter or [declared or {}])[0]),
    )
    if spec.sent_as and not spec.filters:
        raise SourceError(f"resource `{name}`: `{FORMAT}` in `incremental` needs a `start_param` that is sent.")
    if spec.used_in_placeholders and spec.initial_value is None:
        raise SourceError(f"resource `{name}` uses `{{incremental.…}}` and so needs `initial_value`.")
    return spec


def read_window(name: str, endpoint: Mapping[str, Any], *, depends: bool) -> DateWindowSpec | None:
    """The date window of an endpoint, which is an `incremental` with `end_param`.

    Parameters:
        depends: the resource is asked once for each record of another one.

    Raises:
        SourceError: the window is not declared well enough to prove it complete.
    """
    incremental = endpoint.get("incremental") or {}
    if not incremental.get("end_param"):
        return None
    if depends:
        raise SourceError(f"resource `{name}` hangs on another one and so cannot have `end_param`.")
    if not incremental.get("start_param"):
        raise SourceError(f"resource `{name}` has `end_param` and so needs `start_param`.")
    first = str(_as_text(incremental.get("initial_value")))
    if not _ISO_DAY.match(first):
        raise SourceError(
            f"resource `{name}` has `end_param` and so needs `initial_value`, the ISO date of its first "
            "month, such as 2019-01-01."
        )
    return DateWindowSpec(
        path=str(incremental["cursor_path"]),
        start_param=incremental["start_param"],
        end_param=incremental["end_param"],
        first=first,
        lag=_lag(name, incremental.get("lag")),
        sent_as=_sent_as(name, incremental),
    )


def _lag(name: str, declared: float | None) -> float:
    lag = float(declared or 0.0)
    if not 0 <= lag < inf:
        raise SourceError(f"resource `{name}` has `lag: {declared}`; it must be a number that is not negative.")
    return lag


def _sent_as(name: str, incremental: Mapping[str, Any]) -> str | None:
    form = incremental.get(FORMAT)
    try:
        return Column(name="", kind="timestamp", x_format=form).x_format
    except ValidationError:
        raise SourceError(
            f"resource `{name}` has `{FORMAT}` {form!r} in `incremental`; it must be epoch_s, epoch_ms or a strptime "
            "format with day and year."
        ) from None


def _as_text(value: Any) -> Any:
    """A date as it was written, which YAML reads as one unless it is quoted; other values as they are."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
