"""Settings of the Celery workers; `dagster_celery.app` reads the module of this name where one can be imported.

So the address of the broker, which may hold a password, stays in the environment: `dagster-celery worker start -y`
would write it into a file.
"""

import os

broker_url = result_backend = os.environ["DAGSTER_CELERY_BROKER_URL"]
broker_connection_retry_on_startup = True

# One run at a time; more machines, or more workers on one, are more runs at a time.
worker_concurrency = 1
# A run waits for the worker that is free next, not behind a busy one.
worker_disable_prefetch = True
