"""To be imported first: takes what Dagster and dlt make at import out of the garbage collector's sight.

They make some hundred thousand objects that stay as long as the process. The collector would walk all of them in each
full collection, and for half a second when the process ends (`gc.freeze` in Python's documentation). DuckDB's classes
have to come later: it complains at the end of the process about those that were not collected.
"""

import gc

import dagster_dlt  # noqa: F401

gc.freeze()
