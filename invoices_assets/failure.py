"""How a step says that it failed: a sentence, then what to do, and no frames of this package or of those below it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import dagster as dg

from invoices_assets.errors import RefreshError
from invoices_assets.redaction.hooks import traceback_text

NO_RUN_RETRIES = "dagster/retry_on_asset_or_op_failure"
"""Dagster's tag of a run; `false` keeps its run retries from repeating a failure of a step."""


class Failure(dg.Failure):
    """Dagster's failure, whose text goes on with what to do.

    Parameters:
        sentence: what happened; it is the description.
        what_to_do: in sentences, a line each.
        allow_retries: whether the same run may succeed later.
    """

    # Python begins the text of an exception with the module of its class, except for this one
    __module__ = "builtins"

    def __init__(self, sentence: str, what_to_do: Sequence[str], allow_retries: bool) -> None:
        super().__init__(description=sentence, allow_retries=allow_retries)
        self.what_to_do = what_to_do

    def __str__(self) -> str:
        return "\n".join([str(self.description), *self.what_to_do])


class WithoutFrames:
    """Lets a `Failure` out without a traceback; the frames that it passes from here on are added to it.

    The end of a `with` raises anew, which adds no frame of the function that it stands in.
    """

    def __enter__(self) -> None:
        """Nothing was raised yet."""

    def __exit__(self, _: Any, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, Failure):
            error.__traceback__ = None


def failure_of(
    context: dg.AssetExecutionContext | dg.OpExecutionContext, errors: Sequence[RefreshError], sentence: str = ""
) -> Failure:
    """The failure of a step; raise it in `WithoutFrames`. The tracebacks go to the run's log, at level DEBUG.

    Parameters:
        errors: what went wrong, without secrets; at least one.
        sentence: what happened; by default what the errors say.
    """
    for error in errors:
        context.log.debug(traceback_text(error))
    may_be_retried = all(error.may_be_retried for error in errors)
    if not may_be_retried:
        context.instance.add_run_tags(context.run.run_id, {NO_RUN_RETRIES: "false"})
    remedies = dict.fromkeys(error.what_to_do for error in errors)
    return Failure(sentence or " ".join(map(str, errors)), list(remedies), may_be_retried)
