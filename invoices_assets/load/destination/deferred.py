"""A dlt pipeline that is made when somebody uses it."""

from __future__ import annotations

from typing import Any

import dlt
from dlt.pipeline.pipeline import Pipeline

from invoices_assets.source.dlt_settings import own_settings


class DeferredPipeline(Pipeline):
    """Knows its name and its dataset; dlt makes a pipeline's folder and looks for its settings at once.

    Parameters:
        name: of the pipeline and of its dataset.
    """

    def __init__(self, name: str) -> None:
        self.pipeline_name = self.dataset_name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        with own_settings():
            made = dlt.pipeline(self.__dict__["pipeline_name"], dataset_name=self.__dict__["dataset_name"])
        self.__dict__ |= made.__dict__
        return self.__dict__[attribute]
