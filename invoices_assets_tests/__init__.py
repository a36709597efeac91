"""The tests. Helpers that assert are rewritten by pytest like the tests, so that a failure shows the values."""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{helper}" for helper in ("exactly", "fault_matrix", "refusing", "storing", "traits", "versioning"))
)
